"""Does a look for one thing pass over all that ever was, when vacuum may remove nothing?"""

from collections.abc import AsyncIterator

import pytest

from contracts.message import derived_id
from services.notify.storage import deliveries, leases, receipts
from services.runtime.database import Connection
from tests.integration.notify.stand import standing

GONE = 1500
PAGES_MAX = 40
FILL = """
INSERT INTO deliveries (
    delivery_id, case_id, purpose, template, channel, recipient, body, state, due_at, expires_at, cause_id, cause_type,
    created_at, changed_at
)
SELECT gen_random_uuid(), gen_random_uuid(), 'milestone', 'x', 'sms', '+4915112345678', 'text', 'queued', now(), now(),
    'cause', 'type', now(), now()
FROM generate_series(1, $1)
"""
ASKED = derived_id("asked")


@pytest.fixture
async def connection(postgres_database: str) -> AsyncIterator[Connection]:
    """Give a connection to a notify whose messages have all been sent since a report was begun."""
    async with (
        standing(postgres_database) as stand,
        stand.context.pool.acquire() as report,
        report.transaction(isolation="repeatable_read", readonly=True),
        stand.context.pool.acquire() as connection,
    ):
        await report.execute("SELECT FROM deliveries")
        await connection.execute(FILL, GONE)
        for state in ("sending", "sent"):
            await connection.execute("UPDATE deliveries SET state = $1, due_at = now(), attempts = 1", state)
        await connection.execute("VACUUM ANALYZE deliveries")
        yield connection


async def pages(connection: Connection, statement: str, given: str) -> int:
    """Return how many pages a statement looks at, planned once for whatever it is given."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE asked AS {statement}")
    [row] = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked ({given})")
    return int(row["Plan"]["Shared Hit Blocks"] + row["Plan"]["Shared Read Blocks"])


async def test_an_outcome_is_recorded_by_the_id_of_its_delivery(connection: Connection) -> None:
    given = f"'{{{ASKED}}}', '{{1}}', '{{sent}}', '{{NULL}}', '{{NULL}}', '{{NULL}}', '{{NULL}}', now()"
    assert await pages(connection, leases.RECORD, given) < PAGES_MAX


async def test_obsolete_messages_are_found_by_their_case(connection: Connection) -> None:
    assert await pages(connection, deliveries.DROP_OBSOLETE, f"'{{{ASKED}}}', '{{closed}}', now()") < PAGES_MAX


async def test_a_receipt_finds_its_delivery_by_id(connection: Connection) -> None:
    given = f"'{{{ASKED}}}', '{{provider}}', '{{ref}}'"
    assert await pages(connection, receipts.FIND, given) < PAGES_MAX


async def test_what_is_due_is_looked_for_from_where_the_last_look_ended(connection: Connection) -> None:
    given = "now() + interval '2 minutes', now(), 10, false, now() + interval '1 minute'"
    assert await pages(connection, leases.TAKE, given) < PAGES_MAX
