"""How does a message get from a handler into the same transaction as the state it speaks of?

One row per call and bucket, however many messages. Order per key holds, because a later transaction on the same key
waits for the row lock of its state, and so takes its outbox id only after the earlier one committed.
"""

from collections.abc import Sequence
from datetime import datetime
from zlib import crc32

from contracts.topics import RECORD_BYTES_MAX
from services.runtime import envelope
from services.runtime.database import Connection
from services.runtime.errors import MessageTooLargeError
from services.runtime.frames import Frame, pack
from services.runtime.fresh import STORED, row_of
from services.runtime.tracing import UNTRACED, Tracing
from services.runtime.work import Outgoing

BUCKETS = 16
"""How many relays can share the work; fixed, since rows of an older release may still be waiting."""
ROW_BYTES_MAX = 4_194_304
"""Bytes of values; beyond this a call makes another row of the same bucket, so that a relay can read in portions."""

INSERT = """
-- outbox.insert: what one transaction says, in the order in which it is to be said
INSERT INTO outbox (bucket, frames)
SELECT bucket, frames FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS said (bucket, frames, place)
ORDER BY place
RETURNING id
"""
RETIRE_ROWS = 1000
"""So many rows that have gone are worth a look whether all have."""
RETIRE = """
-- outbox.retire: give the space of all rows back, if none is left; not when somebody is just writing one. A snapshot
-- must be younger than the lock; autovacuum, which may be at the outbox's large values, is not waited for
DO $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' OR EXISTS (SELECT FROM outbox) THEN
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '20ms', true);
    LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE NOWAIT;
    IF NOT EXISTS (SELECT FROM outbox) THEN
        TRUNCATE outbox;
    END IF;
EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN
    NULL;
END
$$
"""


def bucket_of(key: bytes) -> int:
    """Return the bucket of a key: the same on every machine and in every release."""
    return crc32(key) % BUCKETS


async def append(
    connection: Connection,
    source: str,
    outgoing: Sequence[Outgoing],
    now: datetime,
    tracing: Tracing = UNTRACED,
) -> int:
    """Store the messages for the relay inside the caller's transaction and return how many rows that took.

    A message has the time of its cause, else ``now``, and continues the trace of its cause, else begins one.
    ``MessageTooLargeError`` names the first message that no broker would take; nothing is stored then.
    """
    return await store(connection, [framed(source, said, now, tracing) for said in outgoing]) if outgoing else 0


async def store(connection: Connection, frames: Sequence[Frame]) -> int:
    """Store these records for the relay inside the caller's transaction and return how many rows that took."""
    portions = [(bucket, portion) for bucket, some in _by_bucket(frames).items() for portion in _portions(some)]
    packed = [pack(portion) for _, portion in portions]
    stored = await connection.fetch(INSERT, [bucket for bucket, _ in portions], packed)
    known = STORED.get()
    if known is not None:
        row_ids = sorted(record["id"] for record in stored)
        for row_id, (bucket, portion) in zip(row_ids, portions, strict=True):
            known[row_id] = row_of(bucket, portion)
    return len(packed)


async def retire(connection: Connection) -> None:
    """Give the space of rows that are gone back at once, when no row is left and nobody has a hand on the table.

    Vacuum gives nothing back as long as any old transaction may still see the rows, be it a forgotten report that has
    never looked at them, and every look at the oldest row passes over all those that are gone. The commit is waited for
    until it is on disk, whatever the session's setting.
    """
    await connection.execute(RETIRE)


def framed(source: str, said: Outgoing, now: datetime, tracing: Tracing) -> Frame:
    """Return the record that says this; ``MessageTooLargeError`` when no broker would take it."""
    message, cause = said.message, said.cause
    value = message.value() if said.value is None else said.value
    if len(value) > RECORD_BYTES_MAX:
        detail = f"{type(message).__name__} has {len(value)} bytes, a record may have {RECORD_BYTES_MAX}"
        raise MessageTooLargeError(detail)
    topic, message_id = message.topic_name(), str(said.message_id)
    headers = envelope.seal(
        message,
        message_id=message_id,
        source=source,
        time=cause.time if cause else now,
        traceparent=tracing.outgoing(cause.traceparent if cause else None, topic, message_id),
    )
    return Frame(topic, message.key().encode(), value, headers)


def _by_bucket(frames: Sequence[Frame]) -> dict[int, list[Frame]]:
    found: dict[int, list[Frame]] = {}
    for frame in frames:
        found.setdefault(bucket_of(frame.key), []).append(frame)
    return found


def _portions(frames: list[Frame]) -> list[list[Frame]]:
    """Cut the frames of one bucket so that no row is much larger than ``ROW_BYTES_MAX``."""
    portions: list[list[Frame]] = [[]]
    size = 0
    for frame in frames:
        if size + len(frame.value) > ROW_BYTES_MAX and portions[-1]:
            portions.append([])
            size = 0
        portions[-1].append(frame)
        size += len(frame.value)
    return portions
