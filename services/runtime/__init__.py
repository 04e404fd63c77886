"""The floor every service stands on: Kafka records in, durable endings out. It knows no business word."""
