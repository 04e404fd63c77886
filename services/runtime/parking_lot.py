"""What stands in the parking lot, and what do people do about it?

Whoever retries, discards or looks at what may be personal is kept with time and reason, and that is never deleted. A
retry passes the duplicate guard, and order per key holds among what waits (S3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime.database import Connection, Pool
from services.runtime.parking import Parked, from_row

OPEN = ("retry", "dead")
"""What waits: for its next attempt, or for a person."""

REQUEUE = """
-- parking.requeue: a person wants it tried again, at once and with a new count of attempts
WITH changed AS (
    UPDATE parked SET status = 'retry', attempt = 0, next_attempt_at = $4, changed_at = $4
    WHERE parked_id = ANY ($1::bigint[]) AND status IN ('retry', 'dead') RETURNING parked_id
)
INSERT INTO parked_actions (parked_id, action, by_whom, reason, acted_at)
SELECT parked_id, 'retry', $2, $3, $4 FROM changed RETURNING parked_id
"""

DISCARD = """
-- parking.discard: a person decides that it shall have no effect
WITH changed AS (
    UPDATE parked SET status = 'discarded', next_attempt_at = NULL, changed_at = $4
    WHERE parked_id = ANY ($1::bigint[]) AND status IN ('retry', 'dead') RETURNING parked_id
)
INSERT INTO parked_actions (parked_id, action, by_whom, reason, acted_at)
SELECT parked_id, 'discard', $2, $3, $4 FROM changed RETURNING parked_id
"""

LIST = """
-- parking.list: what is wanted of the lot, oldest first, without the bytes of values
SELECT parked_id, topic, partition, record_offset, record_timestamp_ms, record_key, NULL::bytea AS record_value,
    header_names, header_values, status, reason, detail, attempt, next_attempt_at, parked_at
FROM parked
WHERE status = ANY ($1::text[]) AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR topic = $3)
    AND ($4::bytea IS NULL OR (key_hash = sha256($4) AND record_key = $4))
    AND ($5::timestamptz IS NULL OR parked_at <= $5) AND parked_id > $6
ORDER BY parked_id LIMIT $7
"""

COUNT = """
-- parking.count: how many are wanted, by what they are
SELECT topic, reason, count(*) AS records FROM parked
WHERE status = ANY ($1::text[]) AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR topic = $3)
    AND ($4::bytea IS NULL OR (key_hash = sha256($4) AND record_key = $4))
    AND ($5::timestamptz IS NULL OR parked_at <= $5)
GROUP BY topic, reason ORDER BY topic, reason
"""

REVEAL = """
-- parking.reveal: a person looks at what may be personal
INSERT INTO parked_actions (parked_id, action, by_whom, reason, acted_at) VALUES ($1, 'reveal', $2, $3, $4)
"""

ACTIONS = """
-- parking.actions: what people did with a record
SELECT action, by_whom, reason, acted_at FROM parked_actions WHERE parked_id = $1 ORDER BY action_id
"""

OLDEST = """
-- parking.oldest: how many records wait for their retry or for a person, and since when
SELECT status, count(*) AS records, min(parked_at) AS since FROM parked
WHERE status IN ('retry', 'dead') GROUP BY status
"""

SHOW = """
-- parking.show: one record with all its bytes
SELECT parked_id, topic, partition, record_offset, record_timestamp_ms, record_key, record_value,
    header_names, header_values, status, reason, detail, attempt, next_attempt_at, parked_at
FROM parked WHERE parked_id = $1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records of the lot are meant; what is ``None`` does not matter."""

    statuses: tuple[str, ...] = OPEN
    reason: str | None = None
    topic: str | None = None
    key: bytes | None = None
    parked_before: datetime | None = None

    def arguments(self) -> tuple[object, ...]:
        """Return the first five arguments of the statements that look for them."""
        return (list(self.statuses), self.reason, self.topic, self.key, self.parked_before)


EVERYTHING_OPEN = Wanted()


@dataclass(frozen=True, slots=True)
class Action:
    """What a person did with a record."""

    action: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many records have one status, and since when the oldest of them."""

    records: int
    since: datetime


async def requeue(connection: Connection, parked_ids: Sequence[int], by: str, reason: str, now: datetime) -> list[int]:
    """Let these be tried again and return the ids that were waiting; a retry passes the duplicate guard (S3)."""
    return [row["parked_id"] for row in await connection.fetch(REQUEUE, parked_ids, by, reason, now)]


async def discard(connection: Connection, parked_ids: Sequence[int], by: str, reason: str, now: datetime) -> list[int]:
    """Give these up for a reason that is kept, and return the ids that were waiting."""
    return [row["parked_id"] for row in await connection.fetch(DISCARD, parked_ids, by, reason, now)]


async def parked(
    connection: Connection, wanted: Wanted = EVERYTHING_OPEN, limit: int = 1000, after: int = 0
) -> list[Parked]:
    """Return what is wanted of the lot, oldest first, behind the id ``after``; values are left out."""
    return [from_row(row) for row in await connection.fetch(LIST, *wanted.arguments(), after, limit)]


async def counted(connection: Connection, wanted: Wanted) -> dict[tuple[str, str], int]:
    """Return how many are wanted, by topic and reason."""
    rows = await connection.fetch(COUNT, *wanted.arguments())
    return {(row["topic"], row["reason"]): row["records"] for row in rows}


async def reveal(connection: Connection, parked_id: int, by: str, reason: str, now: datetime) -> None:
    """Keep that a person looked at what may be personal."""
    await connection.execute(REVEAL, parked_id, by, reason, now)


async def actions(connection: Connection, parked_id: int) -> list[Action]:
    """Return what people did with a record, oldest first."""
    rows = await connection.fetch(ACTIONS, parked_id)
    return [Action(row["action"], row["by_whom"], row["reason"], row["acted_at"]) for row in rows]


async def waiting(connection: Connection | Pool) -> dict[str, Waiting]:
    """Return how much waits for its retry (``retry``) or for a person (``dead``)."""
    rows = await connection.fetch(OLDEST)
    return {row["status"]: Waiting(row["records"], row["since"]) for row in rows}


async def parked_record(connection: Connection, parked_id: int) -> Parked | None:
    """Return one record of the lot with all its bytes."""
    row = await connection.fetchrow(SHOW, parked_id)
    return None if row is None else from_row(row)
