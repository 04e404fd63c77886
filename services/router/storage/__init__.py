"""What the router remembers: cases, agents, and who may match which queue."""
