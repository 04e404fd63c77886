"""Was anything lost? The proof over topics and tables: endings of what came in, chains of cases, promises."""
