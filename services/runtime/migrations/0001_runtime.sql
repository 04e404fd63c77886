-- The runtime's tables in the schema of one service. Statements name tables without a schema: the search_path is the service's.

-- Where reading goes on, advanced by compare-and-set in the transaction that holds the effects of the records before it.
CREATE TABLE koff (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_analyze_threshold = 100000);

-- Which messages of the edges have had their effect. Rows are never changed, only deleted in bulk when they are old.
CREATE TABLE inbox (
    message_id uuid NOT NULL PRIMARY KEY,
    received_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX inbox_received_at ON inbox USING brin (received_at) WITH (autosummarize = on);

-- What has been decided and not yet said: one row per transaction and bucket, gone after the broker's acknowledgement.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket smallint NOT NULL,
    frames bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);
-- Frames are large, short-lived and often compress badly: leave the processor alone.
ALTER TABLE outbox ALTER COLUMN frames SET STORAGE EXTERNAL;
CREATE INDEX outbox_bucket_id ON outbox (bucket, id);

-- Which relay may send the rows of a bucket.
CREATE TABLE outbox_leases (
    bucket smallint PRIMARY KEY,
    owner text,
    lease_until timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- Records that did not end well, byte for byte.
CREATE TABLE parked (
    parked_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    record_timestamp_ms bigint NOT NULL,
    record_key bytea,
    key_hash bytea GENERATED ALWAYS AS (sha256(record_key)) STORED,
    record_value bytea,
    header_names bytea[] NOT NULL,
    header_values bytea[] NOT NULL,
    timer_id uuid,
    status text NOT NULL CHECK (status IN ('retry', 'dead', 'retried', 'discarded')),
    reason text NOT NULL,
    detail text NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    parked_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK ((status = 'retry') = (next_attempt_at IS NOT NULL)),
    CHECK (cardinality(header_names) = cardinality(header_values))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
-- Order per key: who stands behind whom. It is empty nearly always, which makes the look-up of a healthy poll free.
CREATE INDEX parked_waiting ON parked (topic, key_hash, parked_id) WHERE status = 'retry';
CREATE INDEX parked_due ON parked (next_attempt_at) WHERE status = 'retry';
CREATE INDEX parked_timer ON parked (timer_id) WHERE timer_id IS NOT NULL AND status IN ('retry', 'dead');
CREATE INDEX parked_status ON parked (status, parked_id);

-- What people did with parked records; never deleted.
CREATE TABLE parked_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parked_id bigint NOT NULL,
    action text NOT NULL CHECK (action IN ('retry', 'discard')),
    by_whom text NOT NULL,
    reason text NOT NULL,
    acted_at timestamptz NOT NULL
);
CREATE INDEX parked_actions_parked_id ON parked_actions (parked_id);

-- Messages to oneself. A generation is never given twice: a timer set again under an old id is a new message.
CREATE SEQUENCE timer_generations;
CREATE TABLE timers (
    timer_id uuid PRIMARY KEY,
    due_at timestamptz NOT NULL,
    generation bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX timers_due_at ON timers (due_at, timer_id);
