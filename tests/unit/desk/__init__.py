"""unit tests of desk."""
