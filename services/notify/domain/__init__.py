"""Which message goes to whom, when and in which words: decided with values only."""
