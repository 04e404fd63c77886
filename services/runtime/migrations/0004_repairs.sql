-- What `caseloop audit --repair` had this service say or look at again, and why; never deleted.
CREATE TABLE repairs (
    repair_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    problem text NOT NULL,
    repair text NOT NULL,
    by_whom text NOT NULL,
    repaired_at timestamptz NOT NULL
);
