"""Does the product work? All processes, real Kafka, real PostgreSQL; only providers are local doubles."""
