"""How are messages written down, and which of them are withdrawn by what happened since?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.values import CaseState, Channel
from services.notify.domain.delivery import GATEWAY, Delivery
from services.runtime.database import Connection
from services.runtime.work import Received

INSERT = """
-- deliveries.insert: new messages; one that is there already stays as it is and is not returned
INSERT INTO deliveries (
    delivery_id, case_id, purpose, template, milestone, channel, recipient, body, state, reason, kept_in, request,
    provider, due_at, expires_at, cause_id, cause_type, traceparent, created_at, changed_at
)
SELECT delivery_id, case_id, purpose, template, milestone, channel, recipient, body, state, reason,
    string_to_array(kept_in, ','), request, provider, due_at, expires_at, cause_id, cause_type, traceparent, $18, $18
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::jsonb[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[],
    $17::text[], $19::text[]
) AS given (
    delivery_id, case_id, purpose, template, milestone, channel, recipient, body, state, reason,
    kept_in, request, due_at, expires_at, cause_id, cause_type, traceparent, provider
)
ORDER BY delivery_id
ON CONFLICT (delivery_id) DO NOTHING
RETURNING delivery_id
"""
DROP_OBSOLETE = """
-- deliveries.drop_obsolete: withdraw what still waits and means nothing in the state the case is in now
WITH obsolete AS (
    SELECT delivery_id, 'case_' || given.state AS reason
    FROM unnest($1::uuid[], $2::text[]) AS given (case_id, state) CROSS JOIN LATERAL (
        SELECT delivery_id FROM deliveries
        WHERE case_id = given.case_id AND state = 'queued' AND kept_in IS NOT NULL AND given.state <> ALL (kept_in)
        FOR UPDATE SKIP LOCKED
    ) AS waiting
)
UPDATE deliveries SET
    state = 'dropped', reason = obsolete.reason, body = '', request = NULL, due_at = NULL, changed_at = $3
FROM obsolete WHERE deliveries.delivery_id = obsolete.delivery_id
RETURNING deliveries.delivery_id, case_id, purpose, milestone, channel, deliveries.reason
"""
"""A delivery that the dispatcher is just taking is locked and therefore skipped: it is on its way already."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A message that will not go out any more."""

    delivery_id: UUID
    case_id: UUID
    purpose: str
    milestone: str | None
    channel: Channel
    reason: str


async def insert(connection: Connection, given: Sequence[tuple[Delivery, Received]], now: datetime) -> set[UUID]:
    """Store the messages with the words that caused them and return the ids of those that are new."""
    if not given:
        return set()
    deliveries = [delivery for delivery, _ in given]
    rows = await connection.fetch(
        INSERT,
        [each.delivery_id for each in deliveries],
        [each.case_id for each in deliveries],
        [each.purpose for each in deliveries],
        [each.template for each in deliveries],
        [each.milestone for each in deliveries],
        [each.channel for each in deliveries],
        [each.recipient for each in deliveries],
        [each.text if each.state == "queued" else "" for each in deliveries],
        [each.state for each in deliveries],
        [each.reason for each in deliveries],
        [None if each.kept_in is None else ",".join(sorted(each.kept_in)) for each in deliveries],
        [_request(each) for each in deliveries],
        [each.due_at for each in deliveries],
        [each.expires_at for each in deliveries],
        [cause.ce_id for _, cause in given],
        [cause.type for _, cause in given],
        [cause.traceparent for _, cause in given],
        now,
        [GATEWAY if each.request is not None else None for each in deliveries],
    )
    return {row["delivery_id"] for row in rows}


def _request(delivery: Delivery) -> dict[str, Any] | None:
    """Return what must be kept to hand a deferred message over later."""
    if delivery.state != "queued" or delivery.request is None:
        return None
    return delivery.request.model_dump(mode="json", exclude_none=True)


async def drop_obsolete(connection: Connection, states: Mapping[UUID, CaseState], now: datetime) -> list[Withdrawn]:
    """Withdraw the waiting messages of these cases that mean nothing in their present states."""
    if not states:
        return []
    rows = await connection.fetch(DROP_OBSOLETE, list(states), list(states.values()), now)
    return [Withdrawn(**dict(row)) for row in rows]
