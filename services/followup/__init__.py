"""Every clock, promise, callback, survey, reminder and timer of a case."""
