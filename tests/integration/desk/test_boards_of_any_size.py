"""Does a page of the board, and the summary, cost the same however many cases there are?"""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import asyncpg
import pytest

from contracts import followup
from contracts.message import derived_id
from services.desk import queries
from services.desk.queries import Filter
from services.runtime.database import Connection, Pool
from services.runtime.migrations import migrations_of
from tests.integration.desk.receiving import receive
from tests.support.examples import MOMENT, example
from tests.unit.desk.story import a_case, story

STORED, PAGE = 3000, 5
ROWS_MAX = 60
"""A page reads its cases and their first events; the summary reads a row for each connection that wrote."""
PLANS = ("auto", "force_custom_plan", "force_generic_plan")
COSTS = ("1.1", "4")
"""Of a page that is not the next one: for disks without a moving head, and what PostgreSQL has unless it is told."""
FILL = """
-- Very many closed cases of other customers and agents, each a second older than the one before.
INSERT INTO cases (case_id, case_number, version, missing, state, opened_at, updated_at, customer_id, agent_id,
    department, supervisor_needed, cycle, facts)
SELECT gen_random_uuid(), 'N' || number, 9, 0, 'closed', $1::timestamptz - number * interval '1 second', $1,
    gen_random_uuid(), CASE WHEN number > 2010 AND number % 3 = 0 THEN 'gone' ELSE 'other-' || number % 20 END,
    CASE WHEN number > 2010 THEN 'renamed' ELSE 'technical_support' END, false, 1, '{}'
FROM generate_series(1, $2::int) AS numbers (number)
"""
READ = """
-- How many rows of desk's tables this transaction has looked at so far.
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables WHERE schemaname = 'desk'
"""
PLANNED = """
-- What the planner is told; other processes would read uncounted.
SELECT set_config('plan_cache_mode', $1, true), set_config('random_page_cost', $2, true),
    set_config('max_parallel_workers_per_gather', '0', true)
"""
ON_PAGE = "SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relid = 'cases'::regclass"
COUNTED = """
-- What the summary says, counted from end to end.
SELECT (SELECT count(*) FROM cases WHERE state NOT IN ('closed', 'merged', 'spam')) AS cases_open,
    (SELECT count(*) FROM cases) AS cases,
    count(*) FILTER (WHERE promise_id IS NULL) AS clocks_breached, count(promise_id) AS promises_breached
FROM clocks WHERE state = 'breached'
"""
CLOCKS = """
-- A hundred clocks that ran out, every third of a promise.
INSERT INTO clocks (clock_id, case_id, clock, promise_id, state, target_seconds, elapsed_seconds, business_seconds,
    changed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'response', CASE WHEN number % 3 = 0 THEN gen_random_uuid() END,
    'breached', 60, 61, 61, now()
FROM generate_series(1, 100) AS numbers (number)
"""
RARE_CUSTOMER, RARE_AGENT = derived_id("a rare customer"), "agent-rare"
QUESTIONS = [
    pytest.param(Filter(limit=PAGE), PAGE, id="everybody"),
    pytest.param(Filter(customer_id=RARE_CUSTOMER, limit=PAGE), 3, id="customer"),
    pytest.param(Filter(agent_id=RARE_AGENT, limit=PAGE), 3, id="agent"),
    pytest.param(Filter(agent_id="other-1", limit=PAGE), PAGE, id="agent with many"),
    pytest.param(Filter(state="queued", limit=PAGE), 3, id="state that few are in"),
    pytest.param(Filter(state="queued", department="nobody's", limit=PAGE), 0, id="state and department"),
    pytest.param(Filter(state="waiting_customer", limit=PAGE), 0, id="state that none is in"),
    pytest.param(Filter(state="closed", limit=PAGE), PAGE, id="state that nearly all are in"),
    pytest.param(Filter(state="spam", limit=PAGE), 2, id="what was spam"),
    pytest.param(Filter(state="merged", limit=PAGE), 0, id="what was merged"),
    pytest.param(Filter(department="complaints", limit=PAGE), 3, id="department with few"),
    pytest.param(Filter(department="technical_support", limit=PAGE), PAGE, id="department with many"),
    pytest.param(Filter(department="nobody's", limit=PAGE), 0, id="department with none"),
    pytest.param(Filter(department="renamed", limit=PAGE), PAGE, id="department with many, long ago"),
    pytest.param(Filter(agent_id="gone", limit=PAGE), PAGE, id="agent with many, long ago"),
    pytest.param(Filter(agent_id="gone", state="assigned", limit=PAGE), 0, id="agent with many that are over"),
    pytest.param(Filter(department="complaints", state="queued", limit=PAGE), 3, id="department and its open ones"),
    pytest.param(Filter(state="closed", department="complaints", limit=PAGE), 0, id="department and its closed ones"),
    pytest.param(Filter(agent_id="other-1", customer_id=RARE_CUSTOMER, limit=PAGE), 0, id="both"),
]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("plans", PLANS)
@pytest.mark.parametrize(("wanted", "found"), QUESTIONS)
async def test_a_page_reads_few_rows_of_many(pool: Pool, cost: str, plans: str, wanted: Filter, found: int) -> None:
    async with pool.acquire() as connection:
        await _fill(connection)
        for before in (None, (MOMENT - timedelta(seconds=STORED // 2), a_case("none"))):
            async with connection.transaction():
                await connection.execute(PLANNED, plans, cost)
                page = await queries.list_cases(connection, replace(wanted, before=before))

                assert len(page) == found
                assert await connection.fetchval(READ) <= ROWS_MAX


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("plans", PLANS)
async def test_a_department_s_open_cases_are_not_looked_for_among_those_of_all(
    pool: Pool, cost: str, plans: str
) -> None:
    async with pool.acquire() as connection:
        await _fill(connection)
        await connection.execute("UPDATE cases SET state = 'queued' WHERE department = 'technical_support'")
        await connection.execute("VACUUM ANALYZE cases")
        async with connection.transaction():
            await connection.execute(PLANNED, plans, cost)
            read = await connection.fetchval(READ)  # the update's, too
            page = await queries.list_cases(connection, Filter(state="queued", department="complaints", limit=PAGE))

            assert len(page) == 3
            assert await connection.fetchval(READ) - read <= ROWS_MAX


async def test_the_pages_of_a_customer_neither_lose_nor_repeat_a_case(pool: Pool) -> None:
    wanted, seen = Filter(customer_id=RARE_CUSTOMER, limit=2), list[str]()
    async with pool.acquire() as connection:
        await _fill(connection)
        while page := await queries.list_cases(connection, wanted):
            seen += [board.case_number for board, _ in page]
            wanted = replace(wanted, before=(page[-1][0].opened_at, page[-1][0].case_id))

    assert seen == ["N2001", "N2002", "N2003"]


async def test_only_an_end_takes_the_update_of_a_state_off_its_page(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await _fill(connection)
        await connection.execute("VACUUM FULL cases")  # room on every page, as new ones have
        for state, kept in (("assigned", 3), ("waiting_customer", 3), ("closed", 0), ("queued", 0)):
            async with connection.transaction():  # between two of them the counts may begin anew
                before = await connection.fetchval(ON_PAGE)
                await connection.execute("UPDATE cases SET state = $1 WHERE agent_id = $2", state, RARE_AGENT)
                assert await connection.fetchval(ON_PAGE) - before == kept


async def test_the_summary_reads_few_rows_of_many(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await _fill(connection)
        async with connection.transaction():
            assert await queries.summary(connection) == {
                "cases_open": 3,
                "cases": STORED,
                "clocks_breached": 0,
                "promises_breached": 0,
            }
            assert await connection.fetchval(READ) <= ROWS_MAX


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_the_summary_is_what_a_count_finds(pool: Pool, size: int) -> None:
    broken = [_clock(followup.ClockBroken, f"clock {number}", number) for number in range(4)]
    met = [_clock(followup.ClockMet, "clock 1", 5), _clock(followup.ClockMet, "clock 2", 5)]
    said = [*story("shut"), *story("open")[:4], *broken, *story("shut")[2:], *met, *broken]
    for begin in range(0, len(said), size):
        await receive(pool, said[begin : begin + size])

    async with pool.acquire() as connection:
        assert await queries.summary(connection) == {
            "cases_open": 1,
            "cases": 2,
            "clocks_breached": 1,
            "promises_breached": 1,
        }
        for change in ("DELETE FROM clocks", "UPDATE cases SET state = 'spam'", "DELETE FROM cases"):
            await connection.execute(change)
            assert await queries.summary(connection) == dict(await connection.fetchrow(COUNTED) or {})


async def test_what_was_there_before_the_tallies_is_in_them(postgres_database: str) -> None:
    connection = await asyncpg.connect(postgres_database)
    migrations = migrations_of("desk")
    number = next(number for number, each in enumerate(migrations) if "tallies" in each.sql)
    before, tallies = migrations[:number], migrations[number]
    await connection.execute("CREATE SCHEMA desk")
    await connection.execute("SET search_path TO desk")
    for migration in before:
        await connection.execute(migration.sql)
    await connection.execute(FILL, MOMENT, STORED)
    await connection.execute("UPDATE cases SET state = 'queued' WHERE agent_id = 'other-7'")
    await connection.execute(CLOCKS)

    await connection.execute(tallies.sql)

    summed, counted = await connection.fetchrow(queries.SUMMARY), await connection.fetchrow(COUNTED)
    assert counted is not None
    assert counted["clocks_breached"] == 67
    assert summed == counted
    await connection.close()


async def _fill(connection: Connection) -> None:
    await connection.execute(FILL, MOMENT, STORED)
    await connection.execute("UPDATE cases SET state = 'spam' WHERE case_number IN ('N2501', 'N2502')")
    await connection.execute(
        "UPDATE cases SET customer_id = $1, agent_id = $2, state = 'queued', department = 'complaints'"
        " WHERE case_number IN ('N2001', 'N2002', 'N2003')",
        RARE_CUSTOMER,
        RARE_AGENT,
    )
    await connection.execute("ANALYZE cases")


def _clock(kind: type[followup.ClockMessage], name: str, minutes: int) -> followup.ClockMessage:
    """Return what is said of a clock; those of even names belong to no promise."""
    promise = derived_id("promise", name) if int(name[-1:]) % 2 else None
    told = {
        "clock_id": derived_id("clock", name),
        "case_id": a_case("shut"),
        "promise_id": promise,
        "occurred_at": MOMENT + timedelta(minutes=minutes),
    }
    return cast("followup.ClockMessage", example(kind).model_copy(update=told))
