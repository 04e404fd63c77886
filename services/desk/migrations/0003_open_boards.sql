-- Which cases are not over? The board of a state that few cases are in (queued, offered) walked past all that are closed. The column changes
-- when a case ends or is taken up again, and that is the one update more that does not stay within its page: an index of the state itself
-- would take each off. It is computed, so that it is right whoever writes. The table is written anew: nobody reads boards meanwhile, and
-- the disk needs room for it twice; two minutes or so for ten million cases.
ALTER TABLE cases ADD COLUMN ended boolean NOT NULL GENERATED ALWAYS AS (state IN ('closed', 'merged', 'spam')) STORED;
CREATE INDEX cases_open ON cases (opened_at, case_id) WHERE NOT ended;
