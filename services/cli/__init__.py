"""How do people and scripts use caseloop from a terminal? The command ``caseloop``, a module per group of commands."""
