-- The board of one customer and of one agent, newest first. A case keeps its customer; its agent changes when it is given to somebody,
-- which is the one update of most cases that does not stay within its page.
CREATE INDEX cases_customer ON cases (customer_id, opened_at, case_id) WHERE customer_id IS NOT NULL;
CREATE INDEX cases_agent ON cases (agent_id, opened_at, case_id) WHERE agent_id IS NOT NULL;

-- How many cases there are, how many are open, and what was not kept: the sum over all rows. A connection adds to one of 64, so that
-- writers do not wait for each other. An index of what is open or breached would take the updates of every state off their page.
CREATE TABLE tallies (
    slot smallint PRIMARY KEY,
    cases bigint NOT NULL,
    cases_open bigint NOT NULL,
    clocks_breached bigint NOT NULL,
    promises_breached bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE FUNCTION tally(bigint, bigint, bigint, bigint) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO tallies AS known (slot, cases, cases_open, clocks_breached, promises_breached)
    VALUES (pg_backend_pid() % 64, $1, $2, $3, $4)
    ON CONFLICT (slot) DO UPDATE SET cases = known.cases + excluded.cases, cases_open = known.cases_open + excluded.cases_open,
        clocks_breached = known.clocks_breached + excluded.clocks_breached,
        promises_breached = known.promises_breached + excluded.promises_breached
$$;

-- Triggers add up, so that the sum is right whoever writes: a replica of the release before this one, too.
CREATE FUNCTION tally_cases() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added bigint := 0;
    opened bigint := 0;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT count(*), count(*) FILTER (WHERE state NOT IN ('closed', 'merged', 'spam')) INTO added, opened FROM after;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT added - count(*), opened - count(*) FILTER (WHERE state NOT IN ('closed', 'merged', 'spam'))
        INTO added, opened FROM before;
    END IF;
    IF added <> 0 OR opened <> 0 THEN
        PERFORM tally(added, opened, 0, 0);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tally_added AFTER INSERT ON cases
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_cases();
CREATE TRIGGER tally_changed AFTER UPDATE ON cases
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_cases();
CREATE TRIGGER tally_removed AFTER DELETE ON cases
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION tally_cases();

CREATE FUNCTION tally_clocks() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    clocks bigint := 0;
    promises bigint := 0;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT count(*) FILTER (WHERE promise_id IS NULL), count(promise_id) INTO clocks, promises
        FROM after WHERE state = 'breached';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT clocks - count(*) FILTER (WHERE promise_id IS NULL), promises - count(promise_id) INTO clocks, promises
        FROM before WHERE state = 'breached';
    END IF;
    IF clocks <> 0 OR promises <> 0 THEN
        PERFORM tally(0, 0, clocks, promises);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tally_added AFTER INSERT ON clocks
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_clocks();
CREATE TRIGGER tally_changed AFTER UPDATE ON clocks
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_clocks();
CREATE TRIGGER tally_removed AFTER DELETE ON clocks
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION tally_clocks();

-- Cases and clocks that were there before. The triggers' locks keep writers away until the commit.
INSERT INTO tallies (slot, cases, cases_open, clocks_breached, promises_breached)
SELECT 0, (SELECT count(*) FROM cases), (SELECT count(*) FROM cases WHERE state NOT IN ('closed', 'merged', 'spam')),
    count(*) FILTER (WHERE promise_id IS NULL), count(promise_id)
FROM clocks WHERE state = 'breached';
