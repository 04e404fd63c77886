"""integration tests of desk."""
