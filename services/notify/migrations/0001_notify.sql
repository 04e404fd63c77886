-- What notify remembers: cases as far as their customers' messages need them, and every message with what became of it.

CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    version integer NOT NULL,
    state text NOT NULL,
    detail jsonb NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- delivery_id is derived from what the message is about, so this key is what makes a message go out at most once.
CREATE TABLE deliveries (
    delivery_id uuid PRIMARY KEY,
    case_id uuid,
    purpose text NOT NULL,
    template text NOT NULL,
    milestone text,
    channel text NOT NULL,
    recipient text NOT NULL,
    body text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('queued', 'sending', 'unknown', 'sent', 'delivered', 'failed', 'suppressed', 'dropped')),
    reason text,
    kept_in text[],
    request jsonb,
    provider text,
    provider_ref text,
    attempts smallint NOT NULL DEFAULT 0,
    sends smallint NOT NULL DEFAULT 0,
    due_at timestamptz,
    expires_at timestamptz NOT NULL,
    cause_id text NOT NULL,
    cause_type text NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
-- While a delivery is in hand, due_at is the end of its lease.
CREATE INDEX deliveries_due_at ON deliveries (due_at) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX deliveries_waiting ON deliveries (case_id) WHERE state = 'queued';
CREATE INDEX deliveries_provider_ref ON deliveries (provider, provider_ref) WHERE provider_ref IS NOT NULL;

-- Receipts that named a provider's reference before we had stored it; the outcome takes them up.
CREATE TABLE early_receipts (
    provider text NOT NULL,
    provider_ref text NOT NULL,
    status text NOT NULL,
    reason text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, provider_ref, status)
);
