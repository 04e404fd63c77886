"""What may happen to a case, and who gets it: decisions on values, nothing that acts."""
