"""When is a parked record tried again, and in which order?

The oldest of a key first, those that stand behind it in the same transaction; one replica at a time. A failure waits
longer each time and is dead after the last attempt.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime import parking
from services.runtime.database import Connection, Pool
from services.runtime.endings import Tally
from services.runtime.envelope import Opener
from services.runtime.firing import open_timer
from services.runtime.lifecycle import wait
from services.runtime.logs import Log
from services.runtime.pieces import BusyError, Claimed, Entry, Park, Piece, halves
from services.runtime.processing import Processing
from services.runtime.timers import Firing
from services.runtime.work import TIMERS_TOPIC

BATCH_MAX = 100
"""Few, because each may be as large as a record can be."""
IDLE_SECONDS = 0.5

DUE = """
-- retrier.due: the oldest waiting records of their keys whose time has come, and those behind them
WITH heads AS (
    SELECT parked_id, topic, key_hash FROM parked AS head
    WHERE status = 'retry' AND next_attempt_at <= $1 AND NOT EXISTS (
        SELECT FROM parked AS earlier
        WHERE earlier.status = 'retry' AND earlier.topic = head.topic AND earlier.key_hash = head.key_hash
            AND earlier.parked_id < head.parked_id
    )
    ORDER BY next_attempt_at, parked_id LIMIT $2
)
SELECT parked_id, topic, partition, record_offset, record_timestamp_ms, record_key, record_value,
    header_names, header_values, status, reason, detail, attempt, next_attempt_at, parked_at
FROM parked
WHERE status = 'retry' AND (
    parked_id IN (SELECT parked_id FROM heads)
    OR EXISTS (SELECT FROM heads WHERE heads.topic = parked.topic AND heads.key_hash = parked.key_hash)
)
ORDER BY parked_id LIMIT $2
"""

LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':retrier', 0))"

CLAIM = """
-- retrier.claim: which of these still wait as they were read, with nobody before them who is not here
SELECT mine.parked_id FROM parked AS mine
JOIN unnest($1::bigint[], $2::integer[]) AS read (parked_id, attempt) USING (parked_id, attempt)
WHERE mine.status = 'retry' AND NOT EXISTS (
    SELECT FROM parked AS earlier
    WHERE earlier.status = 'retry' AND earlier.topic = mine.topic AND earlier.key_hash = mine.key_hash
        AND earlier.parked_id < mine.parked_id AND earlier.parked_id <> ALL ($1::bigint[])
)
ORDER BY mine.parked_id FOR UPDATE OF mine
"""


@dataclass(frozen=True, slots=True)
class DueRetries:
    """Parked records whose time has come, oldest first."""

    entries: Sequence[Entry]
    name: str = "retries"
    firing: Firing | None = None

    async def claim(self, connection: Connection, now: datetime) -> Claimed:  # noqa: ARG002 - they were due when they were read
        """Lock those that still wait, or raise :class:`BusyError`."""
        if not await connection.fetchval(LOCK):
            raise BusyError
        rows = await connection.fetch(
            CLAIM,
            [entry.parked_id for entry in self.entries],
            [entry.attempt for entry in self.entries],
        )
        return Claimed(_unbroken(self.entries, {row["parked_id"] for row in rows}), waiting=False)

    async def finish(
        self,
        connection: Connection,
        handled: Sequence[Entry],
        idle: Sequence[Entry],
        parks: Sequence[Park],
        now: datetime,
    ) -> None:
        """Write which had their effect, which changed nothing, and which wait longer or are dead."""
        if handled:
            await parking.retried(connection, handled, idle, now)
        if parks:
            await parking.end_again(connection, parks, now)

    def settled(self) -> None:
        """Nothing is remembered in the process."""

    def parts(self) -> Sequence[Piece]:
        """Cut in halves."""
        return [DueRetries(half) for half in halves(self.entries)] if len(self.entries) > 1 else ()


async def retrier_loop(
    processing: Processing,
    pool: Pool,
    open_record: Opener,
    keep: timedelta,
    log: Log,
    stopping: asyncio.Event,
) -> None:
    """Try parked records again until told to stop; ``keep`` is how long the inbox remembers."""
    while not stopping.is_set():
        tally = await retry_due(processing, pool, open_record, keep)
        if tally.records:
            log.info("retried", done=tally.done, duplicate=tally.duplicate, retry=tally.retry, dead=tally.dead)
        if not tally.done:
            await wait(stopping, IDLE_SECONDS)


async def retry_due(processing: Processing, pool: Pool, open_record: Opener, keep: timedelta) -> Tally:
    """Try what is due now, one batch, and return how it ended."""
    now = processing.clock.now()
    async with pool.acquire() as connection:
        rows = await connection.fetch(DUE, now, BATCH_MAX)
    if not rows:
        return Tally()
    entries = [_entry(parking.from_row(row), processing.source, open_record, now - keep) for row in rows]
    try:
        return await processing.settle(DueRetries(entries))
    except BusyError:
        return Tally()


def _entry(parked: parking.Parked, source: str, open_record: Opener, oldest: datetime) -> Entry:
    record = parked.record
    opened = open_timer(record, source) if record.topic == TIMERS_TOPIC else open_record(record, oldest)
    return Entry(record, opened, parked.parked_id, parked.attempt)


def _unbroken(entries: Sequence[Entry], claimed: set[int]) -> list[Entry]:
    """Leave out everything that stands behind a record of its key that could not be claimed."""
    broken: set[tuple[str, bytes]] = set()
    kept: list[Entry] = []
    for entry in entries:
        key = entry.record.key
        if entry.parked_id in claimed and (key is None or (entry.record.topic, key) not in broken):
            kept.append(entry)
        elif key is not None:
            broken.add((entry.record.topic, key))
    return kept
