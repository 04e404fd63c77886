"""What time brings about, decided with values only: no clock, no database, no network."""
