"""How does intake decide? Pure functions and values, nothing else."""
