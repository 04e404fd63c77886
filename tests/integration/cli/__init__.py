"""integration tests of cli."""
