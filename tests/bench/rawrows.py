"""How fast does this server change the same rows, in tables and with indexes like the product's, and nothing else?"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from uuid import UUID, uuid4

import asyncpg

from services.runtime.database import Connection

BATCHES = (1, 10, 100, 500)
ROWS_PER_EVENT = 4
"""Inbox, state, outbox, and the outbox's row again when it goes."""
SECONDS = 0.7
COMMITS, COMMITS_RESTED = 200, 40

MAKE = """
CREATE SCHEMA bench_limit;
CREATE TABLE bench_limit.inbox (LIKE inbox INCLUDING ALL);
CREATE TABLE bench_limit.outbox (LIKE outbox INCLUDING ALL);
"""
DROP = "DROP SCHEMA IF EXISTS bench_limit CASCADE"
RETIRE = """
WITH oldest AS (SELECT id FROM bench_limit.outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
DELETE FROM bench_limit.outbox USING oldest WHERE outbox.id = oldest.id RETURNING outbox.id, outbox.frames
"""
TOUCH = "UPDATE bench_limit.state SET body = body"
"""The first change of a page after a checkpoint logs the whole page: that is over before anything is measured."""
WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"


@dataclass(frozen=True, slots=True)
class Tables:
    """Whose tables are copied, and how a state is changed there."""

    schema: str
    copy: str
    """Makes and fills ``bench_limit.state``."""
    change: str
    """Inbox, state and outbox of events: their ids, cases, new bodies, and what is said of them."""


ROUTER = Tables(
    "router",
    "CREATE TABLE bench_limit.state (LIKE cases INCLUDING ALL); INSERT INTO bench_limit.state TABLE cases LIMIT 5000",
    """
    WITH claimed AS (
        INSERT INTO bench_limit.inbox (message_id, received_at) SELECT unnest($1::uuid[]), now()
        ON CONFLICT DO NOTHING RETURNING 1
    ), changed AS (
        UPDATE bench_limit.state SET version = version + 1, body = given.body
        FROM unnest($2::uuid[], $3::bytea[]) AS given (case_id, body) WHERE state.case_id = given.case_id
    )
    INSERT INTO bench_limit.outbox (bucket, frames) SELECT 0, frames FROM unnest($4::bytea[]) AS said (frames)
    """,
)
HOP = Tables(
    "hop",
    "CREATE TABLE bench_limit.state (LIKE state INCLUDING ALL); INSERT INTO bench_limit.state TABLE state LIMIT 5000",
    ROUTER.change.replace("version = version + 1", "events = events + 1"),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Row operations a second by how many events stand in a transaction."""

    by_batch: dict[int, int]
    wal_bytes: float
    """Of one row operation in the largest batch."""

    @property
    def best(self) -> float:
        """Return the greatest rate."""
        return max(self.by_batch.values())

    @property
    def batch(self) -> int:
        """Return where it was reached."""
        return max(self.by_batch, key=self.by_batch.__getitem__)


async def rates(dsn: str, tables: Tables, values: Sequence[bytes]) -> Rates:
    """Measure with these bytes in the outbox, and with the bodies that the states have."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": tables.schema})
    try:
        await connection.execute(DROP)
        await connection.execute(MAKE)
        await connection.execute(tables.copy)
        await connection.execute("ANALYZE bench_limit.state")
        states = await connection.fetch("SELECT case_id, body FROM bench_limit.state")
        found: dict[int, int] = {}
        wal = 0.0
        for batch in BATCHES:
            await connection.execute("CHECKPOINT")
            await connection.execute(TOUCH)
            before = await connection.fetchval(WAL)
            found[batch], events = await _rate(connection, tables.change, states, values, batch)
            wal = (await connection.fetchval(WAL) - before) / (events * ROWS_PER_EVENT)
        return Rates(found, round(wal))
    finally:
        await connection.execute(DROP)
        await connection.close()


async def commit_seconds(dsn: str, rest: float = 0.0) -> float:
    """Return the seconds of a commit of one row, half of them, each after so many seconds of rest."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(DROP + "; CREATE SCHEMA bench_limit; CREATE TABLE bench_limit.one (id integer)")
    took: list[float] = []
    for number in range(COMMITS_RESTED if rest else COMMITS):
        await asyncio.sleep(rest)
        began = time.perf_counter()
        await connection.execute("INSERT INTO bench_limit.one VALUES ($1)", number)
        took.append(time.perf_counter() - began)
    await connection.execute(DROP)
    await connection.close()
    return statistics.median(took)


async def _rate(
    connection: Connection, change: str, states: Sequence[asyncpg.Record], values: Sequence[bytes], batch: int
) -> tuple[int, int]:
    """Return the row operations a second, and how many events there were."""
    rows, said = cycle(states), cycle(values)
    events, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        some = list(islice(rows, batch))
        ids: list[UUID] = [uuid4() for _ in some]
        cases, bodies = [row["case_id"] for row in some], [row["body"] for row in some]
        await connection.execute(change, ids, cases, bodies, list(islice(said, batch)))
        await connection.fetch(RETIRE, batch)
        events += batch
    return round(events * ROWS_PER_EVENT / passed), events
