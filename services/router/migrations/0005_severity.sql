-- How severe is a case, and at which version was that said? It says how long an assigned case may lie untouched (A7). Without it the sweep
-- had to read the body of each case that was idle for longer than the shortest time, two hundred at a time, and urgent ones stood behind
-- the others. An older release moves the version and does not say it again: then a case is looked at as if it were of the shortest time,
-- and its body decides.
ALTER TABLE cases ADD COLUMN severity text, ADD COLUMN severity_version integer;
