-- The case as the router knows it. ``body`` is the whole; the columns beside it serve matching, and they change only when
-- the case enters or leaves a queue or an agent's hands: every other change touches no index and stays on its page (HOT).
CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version > 0),
    state text NOT NULL,
    -- The department in whose queue the case stands; null when it stands in none.
    queue text,
    -- Whose units the case takes: the agent who is asked or works on it.
    holder text,
    channel text NOT NULL,
    units integer NOT NULL,
    -- The last named handler, kept after the end: the customer's own agent next time.
    agent_id text,
    -- C7: what the priority at any moment is computed from, and the limits of the band that was told last.
    points integer NOT NULL,
    target_seconds integer NOT NULL CHECK (target_seconds > 0),
    aged_from timestamptz NOT NULL,
    band_floor integer NOT NULL,
    band_ceiling integer,
    queued_at timestamptz NOT NULL,
    worked_at timestamptz,
    -- What a queued case asks of an agent.
    needs bytea,
    body bytea NOT NULL,
    CHECK ((queue IS NULL) = (needs IS NULL)),
    CHECK ((queue IS NULL) OR (holder IS NULL))
) WITH (
    fillfactor = 60, toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
);
CREATE INDEX cases_queue ON cases (queue) WHERE queue IS NOT NULL;
CREATE INDEX cases_holder ON cases (holder) WHERE holder IS NOT NULL;

-- Who can take work. Load is in units per channel; it never exceeds the capacity in the profile.
CREATE TABLE agents (
    agent_id text PRIMARY KEY,
    version bigint NOT NULL,
    presence text NOT NULL,
    idle_since timestamptz,
    phone integer NOT NULL DEFAULT 0 CHECK (phone >= 0),
    chat integer NOT NULL DEFAULT 0 CHECK (chat >= 0),
    email integer NOT NULL DEFAULT 0 CHECK (email >= 0),
    social integer NOT NULL DEFAULT 0 CHECK (social >= 0),
    sms integer NOT NULL DEFAULT 0 CHECK (sms >= 0),
    profile bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- The right to match a department's queue: the row is locked for the length of a round.
CREATE TABLE matchers (
    department text PRIMARY KEY
);
