"""unit tests of cli."""
