-- Who the customers are, which conversations they lead, and which cases those led to: intake's own view, decided by unique keys.

-- One person. `root` is the customer this one was merged into, else itself; identifiers and cases keep their own
-- customer, so that undoing a merge is setting `root` back.
CREATE TABLE customers (
    customer_id uuid PRIMARY KEY,
    root uuid NOT NULL,
    created_at timestamptz NOT NULL,
    name text,
    language text,
    time_zone text,
    tier text NOT NULL DEFAULT 'standard' CHECK (tier IN ('standard', 'silver', 'gold')),
    churn_flag boolean NOT NULL DEFAULT false
) WITH (fillfactor = 90);
CREATE INDEX customers_root ON customers (root);

CREATE TABLE identifiers (
    kind text NOT NULL CHECK (kind IN ('phone', 'email', 'member', 'order', 'social')),
    value text NOT NULL,
    customer_id uuid NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (kind, value)
);
CREATE INDEX identifiers_customer_id ON identifiers (customer_id);

-- Merges, never deleted; `moved` names every customer whose root changed, which is all that an undo needs.
CREATE TABLE customer_merges (
    merge_id uuid PRIMARY KEY,
    survivor uuid NOT NULL,
    merged uuid NOT NULL,
    moved uuid[] NOT NULL,
    cause text NOT NULL,
    merged_at timestamptz NOT NULL,
    undone_at timestamptz
);
CREATE INDEX customer_merges_survivor ON customer_merges (survivor);

-- `version` guards every change: of two transactions that understood the same conversation, the second tries again.
CREATE TABLE conversations (
    conversation_id text PRIMARY KEY,
    version bigint NOT NULL,
    channel text NOT NULL,
    customer_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    destination text,
    language text,
    agent_id text,
    subject text,
    started_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    ended boolean NOT NULL,
    greeted boolean NOT NULL,
    prompted_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- Which e-mail belongs to which conversation.
CREATE TABLE mail_threads (
    mail_id text PRIMARY KEY,
    conversation_id text NOT NULL
);

-- How many mails a sender sent in an hour: beyond the policy's number it is a loop.
CREATE TABLE mail_senders (
    address text NOT NULL,
    hour timestamptz NOT NULL,
    received integer NOT NULL,
    PRIMARY KEY (address, hour)
);
CREATE INDEX mail_senders_hour ON mail_senders (hour);

-- The index of cases: proposed here, then kept by the public journal. `primary_of` and `subject_slot` are the unique keys
-- that let one of two racing messages open a case; both are given back when the case ends.
CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    case_number text NOT NULL,
    customer_id uuid NOT NULL,
    conversation_id text NOT NULL,
    category text NOT NULL,
    scenario text NOT NULL,
    severity text NOT NULL,
    safety boolean NOT NULL,
    order_no text,
    state text NOT NULL,
    version bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    outcome text,
    merged_into uuid,
    primary_of text UNIQUE,
    subject_slot text UNIQUE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
CREATE INDEX cases_customer_id ON cases (customer_id, opened_at);
CREATE INDEX cases_conversation_id ON cases (conversation_id);
CREATE INDEX cases_case_number ON cases (case_number);

-- Surveys that wait for an answer from the inbound channel.
CREATE TABLE surveys (
    survey_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    conversation_id text,
    channel text NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX surveys_customer_id ON surveys (customer_id);
CREATE INDEX surveys_case_id ON surveys (case_id);
