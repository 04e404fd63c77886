"""Which SQL does intake run? Every statement has a name and a purpose."""

LOAD_THREADS = """
-- The conversations of known mails.
SELECT mail_id, conversation_id FROM mail_threads WHERE mail_id = ANY ($1::text[])
"""

LOAD_SENDERS = """
-- How many mails each sender sent lately.
SELECT address, sum(received)::integer AS received FROM mail_senders
WHERE address = ANY ($1::text[]) AND hour > $2 GROUP BY address
"""

LOAD_CONVERSATIONS = """
-- Conversations by id.
SELECT conversation_id, version, channel, customer_id, contact_id, destination AS "to", language, agent_id, subject,
       started_at, last_at, ended, greeted, prompted_at
FROM conversations WHERE conversation_id = ANY ($1::text[])
"""

LOAD_PEOPLE = """
-- Everybody who goes by one of these identifiers or leads one of these conversations, with all who were merged
-- with them.
WITH asked AS (
    SELECT customer_id FROM identifiers
    JOIN unnest($1::text[], $2::text[]) AS a (kind, value) USING (kind, value)
    UNION
    SELECT customer_id FROM conversations WHERE conversation_id = ANY ($3::text[])
), roots AS (
    SELECT DISTINCT customers.root FROM customers JOIN asked USING (customer_id)
)
SELECT customer_id, root, created_at, name, language, time_zone, tier, churn_flag
FROM customers WHERE root IN (SELECT root FROM roots)
ORDER BY created_at, customer_id
"""

LOAD_IDENTIFIERS = """
-- All that these customers are known by, in the order in which it became known.
SELECT kind, value, customer_id FROM identifiers WHERE customer_id = ANY ($1::uuid[])
ORDER BY first_seen_at, kind, value
"""

LOAD_CASES = """
-- Cases of these customers (open, or ended lately), of these conversations and with these numbers; and those
-- merged into.
WITH RECURSIVE of_customer AS (
    SELECT c.* FROM unnest($1::uuid[]) AS a (customer_id)
    CROSS JOIN LATERAL (
        SELECT cases.* FROM cases
        WHERE cases.customer_id = a.customer_id AND (cases.closed_at IS NULL OR cases.closed_at > $4)
        ORDER BY cases.opened_at DESC LIMIT $5
    ) AS c
), of_conversation AS (
    SELECT c.* FROM unnest($2::text[]) AS a (conversation_id)
    CROSS JOIN LATERAL (
        SELECT cases.* FROM cases WHERE cases.conversation_id = a.conversation_id ORDER BY cases.opened_at DESC
            LIMIT $5
    ) AS c
), found AS (
    SELECT * FROM of_customer UNION SELECT * FROM of_conversation
    UNION SELECT * FROM cases WHERE case_number = ANY ($3::text[])
), merged AS (
    SELECT merged_into FROM found WHERE merged_into IS NOT NULL
    UNION
    SELECT cases.merged_into FROM merged JOIN cases ON cases.case_id = merged.merged_into
    WHERE cases.merged_into IS NOT NULL
)
SELECT case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
    version,
       order_no, closed_at, outcome, merged_into, primary_of, subject_slot FROM found
UNION
SELECT case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
    version,
       order_no, closed_at, outcome, merged_into, primary_of, subject_slot FROM cases
WHERE case_id IN (SELECT merged_into FROM merged)
ORDER BY opened_at, case_id
"""

COUNT_PAST = """
-- How many cases these customers had, and how many complaints lately.
SELECT customer_id, count(*)::integer AS cases,
       (count(*) FILTER (WHERE scenario = 'complaint' AND opened_at > $2))::integer AS complaints
FROM cases WHERE customer_id = ANY ($1::uuid[]) GROUP BY customer_id
"""

LOAD_SURVEYS = """
-- Surveys that still wait for these customers.
SELECT survey_id, case_id, customer_id, conversation_id, channel, sent_at, expires_at FROM surveys
WHERE (customer_id = ANY ($1::uuid[]) OR conversation_id = ANY ($2::text[])) AND expires_at > $3
ORDER BY sent_at
"""

SAVE_PEOPLE = """
-- New customers, and what became known about old ones.
INSERT INTO customers (customer_id, root, created_at, name, language, time_zone, tier, churn_flag)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::boolean[])
ON CONFLICT (customer_id) DO UPDATE SET
    root = CASE WHEN excluded.root = excluded.customer_id THEN customers.root ELSE excluded.root END, name =
        excluded.name, language = excluded.language, time_zone = excluded.time_zone
RETURNING customer_id
"""

LOCK_PEOPLE = """
-- Who is about to be merged: under lock, to see that nobody merged them meanwhile.
SELECT customer_id, root FROM customers WHERE customer_id = ANY ($1::uuid[]) ORDER BY customer_id FOR UPDATE
"""

ADD_IDENTIFIERS = """
-- Identifiers belong to whoever is first.
INSERT INTO identifiers (kind, value, customer_id, first_seen_at)
SELECT kind, value, customer_id, $4 FROM unnest($1::text[], $2::text[], $3::uuid[]) AS a (kind, value, customer_id)
ON CONFLICT DO NOTHING RETURNING kind
"""

ADD_MERGE = """
-- Write down that two customers are one.
INSERT INTO customer_merges (merge_id, survivor, merged, moved, cause, merged_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""

SAVE_CONVERSATIONS = """
-- New conversations, and changed ones of which nobody else wrote a newer version.
INSERT INTO conversations (
    conversation_id, channel, customer_id, contact_id, started_at, last_at, version, destination, language, agent_id,
    subject, ended, greeted, prompted_at)
SELECT conversation_id, channel, customer_id, contact_id, started_at, last_at, version + 1, destination, language,
    agent_id,
       subject, ended, greeted, prompted_at
FROM unnest(
    $1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::boolean[], $13::boolean[], $14::timestamptz[])
    AS a (conversation_id, channel, customer_id, contact_id, started_at, last_at, version, destination, language,
        agent_id,
          subject, ended, greeted, prompted_at)
ON CONFLICT (conversation_id) DO UPDATE SET
    version = excluded.version, customer_id = excluded.customer_id, contact_id = excluded.contact_id,
    last_at = excluded.last_at, destination = excluded.destination, language = excluded.language,
    agent_id = excluded.agent_id, subject = excluded.subject, ended = excluded.ended, greeted = excluded.greeted,
    prompted_at = excluded.prompted_at
WHERE conversations.version = excluded.version - 1
RETURNING conversation_id
"""

ADD_THREADS = """
-- Mails belong to the conversation that is first.
INSERT INTO mail_threads (mail_id, conversation_id) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT DO NOTHING RETURNING mail_id
"""

ADD_CASES = """
-- Proposed cases; the unique keys let one of two rivals through.
INSERT INTO cases (
    case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
        version,
    order_no, closed_at, outcome, merged_into, primary_of, subject_slot)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
        $9::timestamptz[],
    $10::text[], $11::bigint[], $12::text[], $13::timestamptz[], $14::text[], $15::uuid[], $16::text[], $17::text[])
ON CONFLICT DO NOTHING RETURNING case_id
"""

COUNT_SENDERS = """
-- Count mails by sender and hour.
INSERT INTO mail_senders (address, hour, received)
SELECT address, date_trunc('hour', $3::timestamptz), received FROM unnest($1::text[], $2::integer[]) AS a (address,
    received)
ON CONFLICT (address, hour) DO UPDATE SET received = mail_senders.received + excluded.received
"""

APPLY_JOURNAL = """
-- Newer news of cases; a case that ends gives its unique keys back. Nothing is known of a case nobody opened.
WITH news AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::boolean[], $11::timestamptz[], $12::text[], $13::timestamptz[], $14::text[], $15::uuid[])
        AS a (case_id, version, state, case_number, customer_id, conversation_id, category, scenario, severity,
            safety,
              opened_at, order_no, closed_at, outcome, merged_into)
), known AS (
    UPDATE cases SET
        version = news.version, state = news.state,
        closed_at = CASE WHEN news.state IN ('closed', 'merged', 'spam') THEN coalesce(news.closed_at,
            cases.closed_at) END,
        category = coalesce(news.category, cases.category), scenario = coalesce(news.scenario, cases.scenario),
        severity = coalesce(news.severity, cases.severity), safety = coalesce(news.safety, cases.safety),
        outcome = news.outcome, merged_into = news.merged_into,
        primary_of = CASE WHEN news.state NOT IN ('closed', 'merged', 'spam') THEN cases.primary_of END,
        subject_slot = CASE WHEN news.state NOT IN ('closed', 'merged', 'spam') AND coalesce(news.category,
            cases.category) = cases.category
                       THEN cases.subject_slot END
    FROM news WHERE cases.case_id = news.case_id AND cases.version < news.version
    RETURNING cases.case_id
)
INSERT INTO cases (
    case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
        version,
    order_no, closed_at, outcome, merged_into)
SELECT case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
    version,
       order_no, closed_at, outcome, merged_into
FROM news WHERE customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM cases WHERE cases.case_id = news.case_id)
ON CONFLICT DO NOTHING
"""

ADD_SURVEYS = """
-- Surveys that were sent.
INSERT INTO surveys (survey_id, case_id, customer_id, conversation_id, channel, sent_at, expires_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
ON CONFLICT DO NOTHING
"""

END_SURVEYS = """
-- Surveys of these cases are answered or withdrawn.
DELETE FROM surveys WHERE case_id = ANY ($1::uuid[])
"""

FORGET_SURVEYS = "DELETE FROM surveys WHERE expires_at < $1"
FORGET_SENDERS = "DELETE FROM mail_senders WHERE hour < $1"
