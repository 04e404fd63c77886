-- Which relays are there, so that each takes its fair share of the buckets and a new one is noticed before it has any.
CREATE TABLE relays (
    owner text PRIMARY KEY,
    seen_until timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
