-- The two keys that decide races are empty once a case has ended. An index of those that are not stays as small as the work in hand,
-- and ending a case writes no entry about nothing.
ALTER TABLE cases DROP CONSTRAINT cases_primary_of_key, DROP CONSTRAINT cases_subject_slot_key;
CREATE UNIQUE INDEX cases_primary_of ON cases (primary_of) WHERE primary_of IS NOT NULL;
CREATE UNIQUE INDEX cases_subject_slot ON cases (subject_slot) WHERE subject_slot IS NOT NULL;
