-- A department's board, and what was merged or was spam: both walked past all other cases. A department is the router's choice when a case is
-- opened, and seldom another later; few cases are aside. Two minutes or so for ten million cases, and room for the table twice.
ALTER TABLE cases ADD COLUMN aside boolean NOT NULL GENERATED ALWAYS AS (state IN ('merged', 'spam')) STORED;
CREATE INDEX cases_aside ON cases (opened_at, case_id) WHERE aside;
CREATE INDEX cases_department ON cases (department, opened_at, case_id) WHERE department IS NOT NULL;
