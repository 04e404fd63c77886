"""How do receipts find their delivery, also when they are quicker than the record of the call?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.channel import DeliveryReported
from contracts.values import Channel
from services.notify.domain.delivery import State
from services.runtime.database import Connection

FIND = """
-- receipts.find: the deliveries that receipts speak of, by our id or by the provider's reference
WITH named AS (
    SELECT unnest($1::uuid[]) AS delivery_id
    UNION
    SELECT deliveries.delivery_id FROM deliveries
    JOIN unnest($2::text[], $3::text[]) AS given (provider, provider_ref) USING (provider, provider_ref)
)
SELECT delivery_id, case_id, purpose, milestone, channel, state, provider, provider_ref
FROM deliveries JOIN named USING (delivery_id)
ORDER BY delivery_id FOR UPDATE OF deliveries
"""
MOVE = """
-- receipts.move: new states that receipts brought; nothing is left to send
UPDATE deliveries SET state = given.state, reason = given.reason, due_at = NULL, body = '', request = NULL,
    provider = coalesce(deliveries.provider, given.provider),
    provider_ref = coalesce(deliveries.provider_ref, given.provider_ref), changed_at = $6
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS given (delivery_id, state, reason, provider, provider_ref)
WHERE deliveries.delivery_id = given.delivery_id
"""
AWAIT_RECORDINGS = """
-- receipts.await_recordings: when a reference is not known, let those end that are just storing some, and none begin
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':provider_refs', 0))
WHERE EXISTS (
    SELECT FROM unnest($1::text[], $2::text[]) AS given (provider, provider_ref)
    WHERE NOT EXISTS (
        SELECT FROM deliveries
        WHERE deliveries.provider = given.provider AND deliveries.provider_ref = given.provider_ref
    )
)
"""
RECORDING = """
-- receipts.recording: references are being stored; many at a time may do that
SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ':provider_refs', 0))
"""
KEEP_EARLY = """
-- receipts.keep_early: keep what names a reference that is not known yet
INSERT INTO early_receipts (provider, provider_ref, status, reason, received_at)
SELECT provider, provider_ref, status, reason, $5
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS given (provider, provider_ref, status, reason)
ORDER BY provider, provider_ref, status
ON CONFLICT DO NOTHING
"""
TAKE_EARLY = """
-- receipts.take_early: what came before its delivery was recorded
DELETE FROM early_receipts WHERE (provider, provider_ref) IN (SELECT $1, unnest($2::text[]))
RETURNING provider_ref, status, reason
"""
RETIRE_EARLY = """
-- receipts.retire_early: receipts of messages that were never ours, perhaps of another sender with the same account
DELETE FROM early_receipts WHERE ctid = ANY (ARRAY(SELECT ctid FROM early_receipts WHERE received_at < $1 LIMIT $2))
"""


@dataclass(slots=True)
class Spoken:
    """A delivery that a receipt is about; its state moves while the receipts of a batch are read."""

    delivery_id: UUID
    case_id: UUID | None
    purpose: str
    milestone: str | None
    channel: Channel
    state: State
    provider: str | None
    provider_ref: str | None
    reason: str | None = None


async def find(connection: Connection, reports: Sequence[DeliveryReported]) -> list[Spoken]:
    """Return the deliveries of these receipts that are known, locked."""
    named = [each for each in reports if each.provider is not None and each.provider_ref is not None]
    await _await_recordings(connection, [each for each in named if each.delivery_id is None])
    rows = await connection.fetch(
        FIND,
        [each.delivery_id for each in reports if each.delivery_id is not None],
        [each.provider for each in named],
        [each.provider_ref for each in named],
    )
    return [Spoken(**dict(row)) for row in rows]


async def _await_recordings(connection: Connection, by_ref: Sequence[DeliveryReported]) -> None:
    """See to it that a reference that is about to be stored is found, or that whoever stores it finds what we keep.

    Otherwise each could miss what the other had not committed yet, and the receipt would wait for ever. The lock is
    taken before any row is, as :func:`recording` does, so that the two do not wait for each other in a ring.
    """
    if by_ref:
        await connection.execute(
            AWAIT_RECORDINGS, [each.provider for each in by_ref], [each.provider_ref for each in by_ref]
        )


async def recording(connection: Connection) -> None:
    """Announce that references are going to be stored, before any row is locked; see :func:`find`."""
    await connection.execute(RECORDING)


async def move(connection: Connection, moved: Collection[Spoken], now: datetime) -> None:
    """Store the states that receipts brought."""
    if moved:
        await connection.execute(
            MOVE,
            [each.delivery_id for each in moved],
            [each.state for each in moved],
            [each.reason for each in moved],
            [each.provider for each in moved],
            [each.provider_ref for each in moved],
            now,
        )


async def keep_early(connection: Connection, reports: Sequence[DeliveryReported], now: datetime) -> None:
    """Keep receipts whose delivery is not known yet."""
    if reports:
        await connection.execute(
            KEEP_EARLY,
            [each.provider for each in reports],
            [each.provider_ref for each in reports],
            [each.status for each in reports],
            [each.reason for each in reports],
            now,
        )


async def take_early(connection: Connection, provider: str, refs: Sequence[str]) -> list[tuple[str, str, str | None]]:
    """Return and forget the receipts that waited for these references: reference, status, reason."""
    rows = await connection.fetch(TAKE_EARLY, provider, refs) if refs else []
    return [(row["provider_ref"], row["status"], row["reason"]) for row in rows]
