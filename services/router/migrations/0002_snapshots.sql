-- Cases whose latest state ``case.snapshots`` does not tell yet. Written and removed under the lock of the case's row, so that no
-- change goes untold: who removes a case here tells its state as of the last commit.
CREATE TABLE snapshots_due (
    case_id uuid PRIMARY KEY,
    since timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
-- Cases that were there before: each is told once more.
INSERT INTO snapshots_due (case_id, since) SELECT case_id, now() FROM cases;
