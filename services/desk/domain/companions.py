"""Where do a case's clocks and messages stand after what followup and notify said?"""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from contracts import followup, notify

NUMBER = attrgetter("int")
"""The order of ids, in one comparison of numbers instead of a call for each pair."""
_CLOCK_STATES: dict[str, str] = {
    followup.ClockStarted.type: "running",
    followup.ClockResumed.type: "running",
    followup.ClockWarning.type: "running",
    followup.ClockPaused.type: "paused",
    followup.ClockMet.type: "met",
    followup.ClockBroken.type: "breached",
    followup.ClockCancelled.type: "cancelled",
}


class Clock(NamedTuple):
    """One clock of a case; ``due_at`` is the last known moment at which it runs out."""

    clock_id: UUID
    case_id: UUID
    clock: str
    promise_id: UUID | None
    state: str
    percent: int | None
    target_seconds: int
    elapsed_seconds: int
    business_seconds: int
    due_at: datetime | None
    changed_at: datetime


class Delivery(NamedTuple):
    """One message to a customer."""

    delivery_id: UUID
    case_id: UUID
    purpose: str
    channel: str
    milestone: str | None
    state: str
    provider: str | None
    reason: str | None
    changed_at: datetime


def clocks_after(said: Iterable[followup.ClockMessage]) -> list[Clock]:
    """Return the last standing of each clock, in the order of their ids so that writers never lock crosswise.

    What is older than the standing is a repeat, or late: it changes nothing, here as in the table.
    """
    standing: dict[UUID, Clock] = {}
    for message in said:
        before, after = standing.get(message.clock_id), _clock(message)
        if before is None:
            standing[message.clock_id] = after
        elif after.changed_at >= before.changed_at:
            standing[message.clock_id] = _followed(before, after)
    return [standing[clock_id] for clock_id in sorted(standing, key=NUMBER)]


def _followed(before: Clock, after: Clock) -> Clock:
    """Return the later standing, with what only the earlier one tells."""
    return after._replace(
        due_at=before.due_at if after.due_at is None else after.due_at,
        percent=before.percent if after.percent is None else after.percent,
    )


def _clock(message: followup.ClockMessage) -> Clock:
    return Clock(
        clock_id=message.clock_id,
        case_id=message.case_id,
        clock=message.clock,
        promise_id=message.promise_id,
        state=_CLOCK_STATES[message.type],
        percent=vars(message).get("percent"),  # to ask a model for what it lacks costs forty times as much
        target_seconds=message.target_seconds,
        elapsed_seconds=message.elapsed_seconds,
        business_seconds=message.business_seconds,
        due_at=message.due_at,
        changed_at=message.occurred_at,
    )


def deliveries_after(said: Iterable[notify.Notification]) -> list[Delivery]:
    """Return the last standing of each message to a customer, in the order of their ids."""
    standing: dict[UUID, Delivery] = {}
    for message in said:
        before = standing.get(message.delivery_id)
        if before is None or message.occurred_at >= before.changed_at:
            standing[message.delivery_id] = _delivery(message)
    return [standing[delivery_id] for delivery_id in sorted(standing, key=NUMBER)]


def _delivery(message: notify.Notification) -> Delivery:
    return Delivery(
        delivery_id=message.delivery_id,
        case_id=message.case_id,
        purpose=message.purpose,
        channel=message.channel,
        milestone=message.milestone,
        state=message.type.removeprefix("caseloop.notification.").removesuffix(".v1"),
        provider=message.provider,
        reason=message.reason,
        changed_at=message.occurred_at,
    )
