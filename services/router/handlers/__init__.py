"""What happens in one transaction of the router: a batch of messages, a round of matching, a sweep."""
