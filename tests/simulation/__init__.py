"""Is it right in every interleaving? The production code in virtual time, under a seeded scheduler."""
