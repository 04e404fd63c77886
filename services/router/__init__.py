"""The router: it owns the case, the queues, the offers and the agents' load, and writes the public journal."""
