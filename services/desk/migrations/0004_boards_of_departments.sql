-- A department's board, and what was merged or was spam: both walked past all other cases; and what is open of an agent's or a department's
-- cases, past all that are over. A department is the router's choice when a case is opened, and seldom another later; few cases are aside.
-- Two minutes or so for ten million cases, and room for the table twice.
ALTER TABLE cases ADD COLUMN aside boolean NOT NULL GENERATED ALWAYS AS (state IN ('merged', 'spam')) STORED;
CREATE INDEX cases_aside ON cases (opened_at, case_id) WHERE aside;
-- An order that only these have: see queries.py.
CREATE INDEX cases_department ON cases (department, opened_at DESC NULLS LAST, case_id DESC NULLS LAST) WHERE department IS NOT NULL;
CREATE INDEX cases_department_open ON cases (department, opened_at DESC NULLS LAST, case_id DESC NULLS LAST)
    WHERE department IS NOT NULL AND NOT ended;
DROP INDEX cases_agent;
CREATE INDEX cases_agent ON cases (agent_id, opened_at DESC NULLS LAST, case_id DESC NULLS LAST) WHERE agent_id IS NOT NULL;
CREATE INDEX cases_agent_open ON cases (agent_id, opened_at DESC NULLS LAST, case_id DESC NULLS LAST)
    WHERE agent_id IS NOT NULL AND NOT ended;
