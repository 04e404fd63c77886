"""How does a delivery go on after a provider's answer, a look-up or a receipt? Its state only moves forward.

queued -> sending -> sent -> failed -> delivered, with ``unknown`` between sending and sent when nobody can say whether
the provider took the message. An unknown one is looked up, and sent again only after proof that the provider has none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.notify.domain.delivery import State

News = Literal["sent", "deferred", "unknown", "failed", "delivered"]
REMEMBERED_LONGEST = timedelta(days=1)
"""How long after its expiry an unknown delivery is still looked up; then it waits for a receipt or a person."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it."""

    provider_ref: str | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """The provider does not take it now, for certain."""

    reason: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody can say whether the provider has it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider says that it has no such message."""


@dataclass(frozen=True, slots=True)
class Untouched:
    """It was leased and then not offered after all."""


Outcome = Accepted | Postponed | Refused | Unclear | Absent | Untouched


@dataclass(frozen=True, slots=True)
class Limits:
    """How stubborn the dispatcher is."""

    sends_max: int = 8
    retry_seconds_first: float = 1.0
    retry_seconds_max: float = 300.0
    lookup_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the dispatcher had in hand."""

    delivery_id: UUID
    was: State
    """The state in which it was leased: ``queued`` was sent, ``sending`` and ``unknown`` were looked up."""
    attempts: int
    sends: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """How the delivery stands now and what is said about it."""

    state: State
    due_at: datetime | None = None
    reason: str | None = None
    provider_ref: str | None = None
    news: News | None = None


def after(attempt: Attempt, outcome: Outcome, now: datetime, limits: Limits) -> Step:
    """Return how the delivery goes on after this outcome of an attempt."""
    match outcome:
        case Accepted():
            return Step("sent", provider_ref=outcome.provider_ref, news="sent")
        case Refused():
            return Step("failed", reason=outcome.reason, news="failed")
        case Postponed():
            return _again(attempt, now, _pause(attempt, outcome.retry_after_seconds, limits), outcome.reason, limits)
        case Absent():
            return _again(attempt, now, 0.0, "not_accepted", limits)
        case Untouched():
            return Step("queued" if attempt.was == "queued" else "unknown", due_at=now)
        case Unclear():
            return _look_up_later(attempt, now, outcome.reason, limits)


def _again(attempt: Attempt, now: datetime, pause: float, reason: str, limits: Limits) -> Step:
    due_at = now + timedelta(seconds=pause)
    if attempt.sends >= limits.sends_max or due_at >= attempt.expires_at:
        return Step("failed", reason=reason, news="failed")
    first_time = attempt.was == "queued" and attempt.sends == 1
    return Step("queued", due_at=due_at, reason=reason, news="deferred" if first_time else None)


def _look_up_later(attempt: Attempt, now: datetime, reason: str, limits: Limits) -> Step:
    """Ask again later; that nobody knows is said once, also when a look-up dies and the next finds it ``sending``."""
    lookups = attempt.attempts - attempt.sends
    first_time = lookups == (0 if attempt.was == "queued" else 1)
    pause = limits.lookup_seconds * min(2**lookups, limits.retry_seconds_max / limits.lookup_seconds)
    due_at = now + timedelta(seconds=pause)
    given_up = due_at >= attempt.expires_at + REMEMBERED_LONGEST
    return Step(
        "unknown",
        due_at=None if given_up else due_at,
        reason=reason,
        news="unknown" if first_time and attempt.was != "unknown" else None,
    )


def _pause(attempt: Attempt, asked: float | None, limits: Limits) -> float:
    """Return doubling pauses, each scattered by half around itself; never shorter than what the provider asked for."""
    doubled = min(limits.retry_seconds_first * 2.0 ** (attempt.sends - 1), limits.retry_seconds_max)
    scatter: float = 0.5 + (attempt.delivery_id.int ^ (attempt.sends * 2_654_435_761)) % 1000 / 1000
    return max(doubled * scatter, (asked or 0.0) * (1 + scatter / 10))


_RANK: dict[State, int] = {"queued": 0, "sending": 0, "unknown": 0, "sent": 1, "failed": 2, "delivered": 3}
_REPORTED: dict[str, State] = {
    "accepted": "sent", "sent": "sent", "failed": "failed", "undelivered": "failed", "delivered": "delivered",
    "read": "delivered",
}  # fmt: skip


def reported(state: State, status: str) -> tuple[State, tuple[News, ...]]:
    """Return the state after a receipt and what is to be said: nothing when the receipt is old news.

    A receipt that says ``delivered`` of a message whose sending nobody has recorded yet says that it was sent as well.
    """
    new = _REPORTED[status]
    if state not in _RANK or _RANK[new] <= _RANK[state]:
        return state, ()
    unsaid: tuple[News, ...] = ("sent",) if _RANK[state] == 0 and new == "delivered" else ()
    said: News = "sent" if new == "sent" else "failed" if new == "failed" else "delivered"
    return new, (*unsaid, said)
