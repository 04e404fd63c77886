-- The board: one thin row per case with what changes and what is filtered by. What never changes stands in version 1 of the timeline.
CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    case_number text NOT NULL,
    version integer NOT NULL,
    missing integer NOT NULL,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    customer_id uuid,
    channel text,
    scenario text,
    category text,
    severity text,
    priority integer,
    band text,
    department text,
    agent_id text,
    agent_number text,
    agent_name text,
    supervisor_needed boolean NOT NULL,
    cycle integer NOT NULL,
    facts jsonb NOT NULL,
    promised_at timestamptz,
    resolved_at timestamptz,
    closed_at timestamptz,
    outcome text,
    satisfaction smallint,
    merged_into uuid
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Only columns that never change are indexed, so that the many updates of a case stay within its page (HOT).
CREATE INDEX cases_case_number ON cases (case_number);
CREATE INDEX cases_opened_at ON cases (opened_at, case_id);

-- The story of each case: every event of the journal once, as it was said.
CREATE TABLE timeline (
    case_id uuid NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (case_id, version)
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_insert_scale_factor = 0.5);
-- Table 2 and Table 3 are few events among many.
CREATE INDEX timeline_process ON timeline (occurred_at, case_id, version)
    WHERE type = 'caseloop.case.progressed.v1';
CREATE INDEX timeline_followups ON timeline (occurred_at, case_id, version)
    WHERE type IN (
        'caseloop.case.callback_completed.v1', 'caseloop.case.callback_exhausted.v1', 'caseloop.case.survey_answered.v1'
    );

-- Where each clock of a case stands.
CREATE TABLE clocks (
    clock_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    clock text NOT NULL,
    promise_id uuid,
    state text NOT NULL,
    percent smallint,
    target_seconds integer NOT NULL,
    elapsed_seconds integer NOT NULL,
    business_seconds integer NOT NULL,
    due_at timestamptz,
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX clocks_case_id ON clocks (case_id);

-- What became of each message to a customer.
CREATE TABLE deliveries (
    delivery_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    milestone text,
    state text NOT NULL,
    provider text,
    reason text,
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deliveries_case_id ON deliveries (case_id);
