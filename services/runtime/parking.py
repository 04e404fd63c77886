"""Where do records stay that did not end well, and what can be done about them?

Byte for byte, with a reason code and a detail that never quotes a value. A record with status ``retry`` holds back
later records of its key; ``dead`` waits for a person: see ``parking_lot``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.endings import Dead, Retry
from services.runtime.pieces import Entry, Park
from services.runtime.records import Record
from services.runtime.work import Received, TimerFired

BLOCKED = """
-- parking.blocked: keys for which an earlier record waits for its retry
SELECT keys.topic, keys.record_key FROM unnest($1::text[], $2::bytea[]) AS keys (topic, record_key)
WHERE EXISTS (
    SELECT FROM parked
    WHERE parked.status = 'retry' AND parked.topic = keys.topic AND parked.key_hash = sha256(keys.record_key)
)
"""

COLUMNS = (
    "topic",
    "partition",
    "record_offset",
    "record_timestamp_ms",
    "record_key",
    "record_value",
    "header_names",
    "header_values",
    "timer_id",
    "status",
    "reason",
    "detail",
    "attempt",
    "next_attempt_at",
    "parked_at",
    "changed_at",
)

ENDED_AGAIN = """
-- parking.ended_again: a retry failed; the record waits longer or is dead
UPDATE parked SET status = ended.status, reason = ended.reason, detail = ended.detail, attempt = ended.attempt,
    next_attempt_at = ended.next_attempt_at, changed_at = $7
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[])
    AS ended (parked_id, status, reason, detail, attempt, next_attempt_at)
WHERE parked.parked_id = ended.parked_id
"""

RETRIED = """
-- parking.retried: these have had their effect, or it turned out that they have none any more
UPDATE parked SET status = CASE WHEN parked_id = ANY ($2::bigint[]) THEN 'no_effect' ELSE 'retried' END,
    next_attempt_at = NULL, changed_at = $3
WHERE parked_id = ANY ($1::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how late a failed record is tried again."""

    attempts_max: int = 8
    first_seconds: float = 1.0
    max_seconds: float = 300.0

    def next_attempt_at(self, attempt: int, now: datetime) -> datetime:
        """Return when to try again after so many failures: doubled pauses up to a bound."""
        doubled = self.first_seconds * 2.0 ** min(attempt - 1, 30)
        return now + timedelta(seconds=min(doubled, self.max_seconds))


@dataclass(frozen=True, slots=True)
class Parked:
    """One record in the lot, as people see it."""

    parked_id: int
    record: Record
    status: str
    reason: str
    detail: str
    attempt: int
    next_attempt_at: datetime | None
    parked_at: datetime


async def blocked(connection: Connection, keys: set[tuple[str, bytes]]) -> set[tuple[str, bytes]]:
    """Return those of the keys (topic, record key) for which an earlier record waits for its retry."""
    ordered = list(keys)
    rows = await connection.fetch(BLOCKED, [topic for topic, _ in ordered], [key for _, key in ordered])
    return {(row["topic"], row["record_key"]) for row in rows}


async def park(connection: Connection, parks: Sequence[Park], now: datetime) -> None:
    """Store records that came from a topic or a timer, in order."""
    await connection.copy_records_to_table(
        "parked",
        records=[_row(entry, ending, now) for entry, ending in parks],
        columns=COLUMNS,
    )


async def end_again(connection: Connection, parks: Sequence[Park], now: datetime) -> None:
    """Store how the retries of parked records failed."""
    endings = [ending for _, ending in parks]
    await connection.execute(
        ENDED_AGAIN,
        [entry.parked_id for entry, _ in parks],
        [_status(ending) for ending in endings],
        [ending.reason for ending in endings],
        [ending.detail for ending in endings],
        [entry.attempt + ending.tried for entry, ending in parks],
        [_due(ending) for ending in endings],
        now,
    )


async def retried(connection: Connection, entries: Sequence[Entry], idle: Sequence[Entry], now: datetime) -> None:
    """Store that parked records have had their effect; ``idle`` are those among them that changed nothing."""
    await connection.execute(RETRIED, [entry.parked_id for entry in entries], [entry.parked_id for entry in idle], now)


def from_row(row: asyncpg.Record) -> Parked:
    """Return a parked record from a row that has its columns."""
    names = [name.decode(errors="surrogateescape") for name in row["header_names"]]
    record = Record(
        row["topic"],
        row["partition"],
        row["record_offset"],
        row["record_timestamp_ms"],
        row["record_key"],
        row["record_value"],
        tuple(zip(names, row["header_values"], strict=True)),
    )
    return Parked(
        row["parked_id"],
        record,
        row["status"],
        row["reason"],
        row["detail"],
        row["attempt"],
        row["next_attempt_at"],
        row["parked_at"],
    )


def _row(entry: Entry, ending: Retry | Dead, now: datetime) -> tuple[object, ...]:
    record = entry.record
    return (
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_ms,
        record.key,
        record.value,
        [name.encode(errors="surrogateescape") for name, _ in record.headers],
        [value for _, value in record.headers],
        _timer_id(entry),
        _status(ending),
        ending.reason,
        ending.detail,
        1 if ending.tried else 0,
        _due(ending),
        now,
        now,
    )


def _timer_id(entry: Entry) -> UUID | None:
    fired = entry.opened.message if isinstance(entry.opened, Received) else None
    return fired.timer_id if isinstance(fired, TimerFired) else None


def _status(ending: Retry | Dead) -> str:
    return "retry" if isinstance(ending, Retry) else "dead"


def _due(ending: Retry | Dead) -> datetime | None:
    return ending.next_attempt_at if isinstance(ending, Retry) else None
