"""Which messages are to be sent or looked up now, and how is written down what became of them?

``due_at`` of a delivery in hand is the end of its lease. A lease that ran out means that a dispatcher died, or its
database was away, between the call and the record: nobody knows whether the provider has the message, so it comes back
to be looked up and not to be sent. ``attempts`` is the fence: whoever lost the lease writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.values import Channel
from services.notify.domain.delivery import State
from services.notify.domain.outcomes import Attempt, Step
from services.runtime.database import Connection, Pool
from services.runtime.looking import BEGINNING

TAKE = """
-- leases.take: what is due since a moment, oldest first; queued becomes sending, the rest is unknown and only looked up
WITH due AS (
    SELECT delivery_id, state FROM deliveries
    WHERE state IN ('queued', 'sending', 'unknown') AND due_at <= $1 AND due_at >= $5 AND (channel <> 'sms' OR NOT $4)
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET
    state = CASE due.state WHEN 'queued' THEN 'sending' ELSE 'unknown' END,
    attempts = attempts + 1,
    sends = sends + CASE due.state WHEN 'queued' THEN 1 ELSE 0 END,
    due_at = $2, changed_at = $1
FROM due WHERE deliveries.delivery_id = due.delivery_id
RETURNING deliveries.delivery_id, case_id, purpose, milestone, channel, recipient, body, request, due.state AS was,
    attempts, sends, deliveries.due_at AS lease_until, expires_at, cause_id, cause_type, traceparent
"""
RECORD = """
-- leases.record: outcomes of attempts whose lease is still ours; a receipt may have been quicker
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
        AS given (delivery_id, attempts, state, reason, due_at, provider, provider_ref)
), mine AS (
    SELECT given.* FROM deliveries JOIN given USING (delivery_id, attempts)
    WHERE deliveries.state IN ('sending', 'unknown')
    ORDER BY delivery_id FOR UPDATE OF deliveries
)
UPDATE deliveries SET
    state = mine.state, reason = mine.reason, due_at = mine.due_at, changed_at = $8,
    provider = coalesce(mine.provider, deliveries.provider), provider_ref = mine.provider_ref,
    body = CASE WHEN mine.state IN ('sent', 'failed') THEN '' ELSE body END,
    request = CASE WHEN mine.state IN ('sent', 'failed') THEN NULL ELSE request END
FROM mine WHERE deliveries.delivery_id = mine.delivery_id
RETURNING deliveries.delivery_id
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One delivery in hand."""

    delivery_id: UUID
    case_id: UUID | None
    purpose: str
    milestone: str | None
    channel: Channel
    recipient: str
    body: str
    request: dict[str, Any] | None
    was: State
    attempts: int
    sends: int
    lease_until: datetime
    expires_at: datetime
    cause_id: str
    cause_type: str
    traceparent: str | None

    @property
    def attempt(self) -> Attempt:
        """Return what the decision about an outcome needs to know."""
        return Attempt(self.delivery_id, self.was, self.attempts, self.sends, self.expires_at)


async def take(
    pool: Pool,
    now: datetime,
    lease_until: datetime,
    limit: int,
    *,
    since: datetime = BEGINNING,
    without_sms: bool = False,
) -> list[Lease]:
    """Lease what has become due since that moment to the caller; nobody else gets it before ``lease_until``."""
    return [Lease(**dict(row)) for row in await pool.fetch(TAKE, now, lease_until, limit, without_sms, since)]


async def record(
    connection: Connection,
    steps: Sequence[tuple[Lease, Step]],
    provider: str,
    now: datetime,
) -> set[UUID]:
    """Write down how leased deliveries stand now; returns those whose lease was still the caller's."""
    rows = await connection.fetch(
        RECORD,
        [lease.delivery_id for lease, _ in steps],
        [lease.attempts for lease, _ in steps],
        [step.state for _, step in steps],
        [step.reason for _, step in steps],
        [step.due_at for _, step in steps],
        [provider if lease.channel == "sms" else None for lease, _ in steps],
        [step.provider_ref for _, step in steps],
        now,
    )
    return {row["delivery_id"] for row in rows}
