-- How severe is a case? It says how long an assigned case may lie untouched (A7). Without it the sweep had to read the body of each case
-- that was idle for longer than the shortest time, two hundred at a time, and urgent ones stood behind the others. An older release
-- leaves it as it is: such a case is looked at as if it were of the shortest time, and its body decides.
ALTER TABLE cases ADD COLUMN severity text;
