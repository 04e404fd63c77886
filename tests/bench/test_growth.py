"""Does the workload ``growth`` fill every table that closed cases fill?"""

import re
from datetime import timedelta
from pathlib import Path

import asyncpg

from services.runtime.migrations import migrate
from tests.bench.stored import TABLES, copy, keep
from tests.support.servers import fresh_database

SERVICES = Path(__file__).parents[2] / "services"
CREATED = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
SMALL = {
    "intake.customer_merges": "a merge of customers, not a case",
    "intake.mail_threads": "e-mail; the loop's channel is chat",
    "intake.mail_senders": "forgotten after two hours",
    "intake.surveys": "gone when a survey ends",
    "router.agents": "people",
    "router.matchers": "departments",
    "router.snapshots_due": "gone when the state was told",
    "followup.handles": "gone when a callback or a survey ends",
    "followup.greetings": "claimed by the first case",
    "desk.tallies": "at most 64 sums",
    "notify.early_receipts": "taken up by the delivery's outcome",
}
"""Which tables hold no more when more closed cases are stored, and why; of the runtime's only the inbox does."""


def test_every_table_of_a_service_is_filled_or_stays_small() -> None:
    created = {
        f"{file.parents[1].name}.{name}"
        for file in SERVICES.glob("*/migrations/*.sql")
        if file.parents[1].name != "runtime"
        for name in CREATED.findall(file.read_text("utf-8"))
    }

    filled = {f"{schema}.{table}" for schema, table in TABLES if table != "inbox"}

    assert created == filled | SMALL.keys()
    assert not filled & SMALL.keys()


def test_the_inbox_is_filled_wherever_messages_come_from_outside() -> None:
    assert {schema for schema, table in TABLES if table == "inbox"} == {"intake", "router", "followup", "notify"}


TALKS = """
INSERT INTO intake.conversations (
    conversation_id, version, channel, customer_id, contact_id, started_at, last_at, ended, greeted
)
SELECT 'run-' || number, 1, 'chat', customer_id, gen_random_uuid(), created_at, created_at, true, true
FROM intake.customers, unnest(ARRAY[1, 11]) AS talks (number)
"""
"""Copy 12 of the first and copy 2 of the second would be one if their numbers were but written behind their ids."""
CUSTOMER = (
    "INSERT INTO intake.customers (customer_id, root, created_at) SELECT id, id, now() FROM gen_random_uuid() AS id"
)
CLOSED = """
INSERT INTO desk.cases (
    case_id, case_number, version, missing, state, opened_at, updated_at, supervisor_needed, cycle, facts
)
VALUES (gen_random_uuid(), 'one', 9, 0, 'closed', now(), now(), false, 1, '{}')
"""
FOUND = """
SELECT count(*) AS talks, count(DISTINCT customer_id) AS customers, max(started_at) - min(started_at) AS seconds,
    (SELECT count(*) FROM intake.customers WHERE root = customer_id) AS roots
FROM intake.conversations JOIN intake.customers USING (customer_id)
"""


async def test_copies_are_rows_of_their_own_and_belong_together(postgres_dsn: str) -> None:
    async with fresh_database(postgres_dsn) as dsn:
        connection = await asyncpg.connect(dsn)
        await migrate(connection, "intake")
        await connection.execute(CUSTOMER)
        await connection.execute(TALKS)
        await connection.execute("CREATE SCHEMA templates")
        for table in ("customers", "conversations"):
            await keep(connection, "intake", table)
            await copy(dsn, "intake", table, 1, 12)

        found = await connection.fetchrow(FOUND)
        await connection.close()

    assert dict(found or {}) == {"talks": 26, "customers": 13, "seconds": timedelta(seconds=12), "roots": 13}


async def test_a_column_that_is_computed_is_computed_of_the_copy_too(postgres_dsn: str) -> None:
    async with fresh_database(postgres_dsn) as dsn:
        connection = await asyncpg.connect(dsn)
        await migrate(connection, "desk")
        await connection.execute(CLOSED)
        await connection.execute("CREATE SCHEMA templates")
        await keep(connection, "desk", "cases")
        await copy(dsn, "desk", "cases", 1, 2)

        ended = await connection.fetchval("SELECT count(*) FROM desk.cases WHERE ended")
        await connection.close()

    assert ended == 3
