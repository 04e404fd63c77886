"""Which SQL does intake run? Every statement has a name and a purpose."""

LOAD_MAIL = """
-- The conversations of known mails, and how many mails each sender sent lately.
SELECT
    ARRAY (SELECT ROW (mail_id, conversation_id) FROM mail_threads WHERE mail_id = ANY ($1::text[])) AS threads,
    ARRAY (
        SELECT ROW (address, sum(received)::integer) FROM mail_senders
        WHERE address = ANY ($2::text[]) AND hour > $3 GROUP BY address
    ) AS senders
"""

LOAD = """
-- Everything around these identifiers, conversations and case numbers: one row with a list of each kind.
--
-- People: who goes by one of the identifiers or leads one of the conversations, with all who were merged with them.
-- Cases: of these people (open, or ended lately), of the conversations and with the numbers; and those merged into.
-- Past: how many cases each had, and how many complaints lately. Surveys: those that still wait.
WITH RECURSIVE asked AS (
    SELECT customer_id FROM identifiers
    JOIN unnest($1::text[], $2::text[]) AS a (kind, value) USING (kind, value)
    UNION
    SELECT customer_id FROM conversations WHERE conversation_id = ANY ($3::text[])
), people AS MATERIALIZED (
    SELECT customer_id, root, created_at, name, language, time_zone, tier, churn_flag FROM customers
    WHERE root IN (SELECT customers.root FROM customers JOIN asked USING (customer_id))
), named AS (
    SELECT c.case_id, c.merged_into FROM people
    CROSS JOIN LATERAL (
        SELECT case_id, merged_into FROM cases
        WHERE cases.customer_id = people.customer_id AND (closed_at IS NULL OR closed_at > $5)
        ORDER BY opened_at DESC LIMIT $8
    ) AS c
    UNION
    SELECT c.case_id, c.merged_into FROM unnest($3::text[]) AS a (conversation_id)
    CROSS JOIN LATERAL (
        SELECT case_id, merged_into FROM cases WHERE cases.conversation_id = a.conversation_id
        ORDER BY opened_at DESC LIMIT $8
    ) AS c
    UNION
    SELECT case_id, merged_into FROM cases WHERE case_number = ANY ($4::text[])
), found AS (
    SELECT case_id, merged_into FROM named
    UNION
    SELECT cases.case_id, cases.merged_into FROM found JOIN cases ON cases.case_id = found.merged_into
)
SELECT
    ARRAY (
        SELECT ROW (conversation_id, channel, customer_id, contact_id, started_at, last_at, version, destination,
            language, agent_id, subject, ended, greeted, prompted_at)
        FROM conversations WHERE conversation_id = ANY ($3::text[])
    ) AS conversations,
    ARRAY (
        SELECT ROW (customer_id, root, created_at, name, language, time_zone, tier, churn_flag)
        FROM people ORDER BY created_at, customer_id
    ) AS people,
    ARRAY (
        SELECT ROW (kind, value, customer_id) FROM identifiers JOIN people USING (customer_id)
        ORDER BY first_seen_at, kind, value
    ) AS identifiers,
    ARRAY (
        SELECT ROW (case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety,
            opened_at, state, version, order_no, closed_at, outcome, cases.merged_into, primary_of, subject_slot)
        FROM cases JOIN found USING (case_id) ORDER BY opened_at, case_id
    ) AS cases,
    ARRAY (
        SELECT ROW (customer_id, count(*)::integer,
            (count(*) FILTER (WHERE scenario = 'complaint' AND opened_at > $6))::integer)
        FROM cases JOIN people USING (customer_id) GROUP BY customer_id
    ) AS past,
    ARRAY (
        SELECT ROW (survey_id, case_id, customer_id, conversation_id, channel, sent_at, expires_at) FROM surveys
        WHERE (customer_id = ANY (ARRAY (SELECT customer_id FROM people)) OR conversation_id = ANY ($3::text[]))
            AND expires_at > $7
        ORDER BY sent_at
    ) AS surveys
"""

SAVE = """
-- What a batch changed, and how much of it was taken: less than was given means that somebody else was first.
--
-- People: new ones, and what became known about old ones. Identifiers belong to whoever is first. Conversations: new
-- ones, and changed ones of which nobody else wrote a newer version. Cases are proposals; the unique keys let one of
-- two rivals through. The lists are counted, and so written, from top to bottom: everybody takes locks in this order.
WITH people AS (
    INSERT INTO customers (customer_id, root, created_at, name, language, time_zone)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
    ON CONFLICT (customer_id) DO UPDATE SET
        root = CASE WHEN excluded.root = excluded.customer_id THEN customers.root ELSE excluded.root END,
        name = excluded.name, language = excluded.language, time_zone = excluded.time_zone
    RETURNING 1
), known AS (
    INSERT INTO identifiers (kind, value, customer_id, first_seen_at)
    SELECT kind, value, customer_id, $10 FROM unnest($7::text[], $8::text[], $9::uuid[]) AS a (kind, value, customer_id)
    ON CONFLICT DO NOTHING RETURNING 1
), talks AS (
    INSERT INTO conversations (
        conversation_id, channel, customer_id, contact_id, started_at, last_at, version, destination, language,
        agent_id, subject, ended, greeted, prompted_at)
    SELECT conversation_id, channel, customer_id, contact_id, started_at, last_at, version + 1, destination, language,
        agent_id, subject, ended, greeted, prompted_at
    FROM unnest($11::text[], $12::text[], $13::uuid[], $14::uuid[], $15::timestamptz[], $16::timestamptz[],
        $17::bigint[], $18::text[], $19::text[], $20::text[], $21::text[], $22::boolean[], $23::boolean[],
        $24::timestamptz[])
        AS a (conversation_id, channel, customer_id, contact_id, started_at, last_at, version, destination, language,
            agent_id, subject, ended, greeted, prompted_at)
    ON CONFLICT (conversation_id) DO UPDATE SET
        version = excluded.version, customer_id = excluded.customer_id, contact_id = excluded.contact_id,
        last_at = excluded.last_at, destination = excluded.destination, language = excluded.language,
        agent_id = excluded.agent_id, subject = excluded.subject, ended = excluded.ended, greeted = excluded.greeted,
        prompted_at = excluded.prompted_at
    WHERE conversations.version = excluded.version - 1
    RETURNING 1
), proposed AS (
    INSERT INTO cases (
        case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
        version, order_no, primary_of, subject_slot)
    SELECT * FROM unnest(
        $25::uuid[], $26::text[], $27::uuid[], $28::text[], $29::text[], $30::text[], $31::text[], $32::boolean[],
        $33::timestamptz[], $34::text[], $35::bigint[], $36::text[], $37::text[], $38::text[])
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM known) + (SELECT count(*) FROM talks)
    + (SELECT count(*) FROM proposed) AS taken
"""

SAVE_MAIL = """
-- Mails belong to the conversation that is first; mails are counted by sender and hour.
WITH threads AS (
    INSERT INTO mail_threads (mail_id, conversation_id) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT DO NOTHING RETURNING 1
), senders AS (
    INSERT INTO mail_senders (address, hour, received)
    SELECT address, date_trunc('hour', $5::timestamptz), received
    FROM unnest($3::text[], $4::integer[]) AS a (address, received)
    ON CONFLICT (address, hour) DO UPDATE SET received = mail_senders.received + excluded.received
    RETURNING 1
)
SELECT (SELECT count(*) FROM threads) + (SELECT count(*) FROM senders) AS taken
"""

LOCK_PEOPLE = """
-- Who is about to be merged: under lock, to see that nobody merged them meanwhile.
SELECT customer_id, root FROM customers WHERE customer_id = ANY ($1::uuid[]) ORDER BY customer_id FOR UPDATE
"""

ADD_MERGE = """
-- Write down that two customers are one.
INSERT INTO customer_merges (merge_id, survivor, merged, moved, cause, merged_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""

APPLY_JOURNAL = """
-- Newer news of cases, and which were news; a case that ends gives its unique keys back. Nothing is known of a case
-- nobody opened.
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
), unheard AS (
    INSERT INTO cases (
        case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
        version, order_no, closed_at, outcome, merged_into)
    SELECT case_id, case_number, customer_id, conversation_id, category, scenario, severity, safety, opened_at, state,
        version, order_no, closed_at, outcome, merged_into
    FROM news WHERE customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM cases WHERE cases.case_id = news.case_id)
    ON CONFLICT DO NOTHING RETURNING case_id
)
SELECT case_id FROM known UNION ALL SELECT case_id FROM unheard
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
