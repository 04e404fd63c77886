-- What followup remembers: one row per case, and the ids by which the outside names something of a case.

-- The case as followup sees it: clocks, promises, callbacks, survey, reminders (body), and the last version of the journal.
-- Nothing but the body and the version ever changes and neither is indexed, so updates stay on their page.
CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- Callbacks and surveys that wait for an answer: a report or a reply names only them. Gone when they end.
CREATE TABLE handles (
    handle_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    customer_id uuid NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX handles_customer_id ON handles (customer_id);

-- Conversations that were connected and have no case yet (R2); claimed by the first case, forgotten after a day.
CREATE TABLE greetings (
    conversation_id text PRIMARY KEY,
    connected_at timestamptz NOT NULL,
    greeted_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX greetings_connected_at ON greetings (connected_at);
