"""How does a decision about a case become the next entry of its journal?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channel import AgentProfileSet
from contracts.message import derived_id
from contracts.policy import Policy
from contracts.router import CaseEvent, CommandRejected, seal
from contracts.values import Actor, Cause
from services.router.domain.case import Case, evolve, number_of

SYSTEM = Actor(kind="system", id="router")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why, when, by whom and under which policy something is decided."""

    cause: Cause
    cause_id: UUID
    """Root of the ids derived from this occasion."""
    by: Actor
    now: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class View:
    """What else may be looked at while one case is decided."""

    cases: Mapping[UUID, Case] = field(default_factory=dict)
    agents: Mapping[str, AgentProfileSet] = field(default_factory=dict)
    handlers: Mapping[UUID, str] = field(default_factory=dict)
    """Who handled a customer's earlier cases."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal, ready to be said."""

    event: CaseEvent | CommandRejected
    message_id: UUID
    value: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a case, and what is told about it; ``others`` are cases that change with it."""

    case: Case
    entries: tuple[Entry, ...] = ()
    others: tuple["Decision", ...] = ()

    def then(self, step: Callable[[Case], "Decision"]) -> "Decision":
        """Decide the next step on the case as it is now, and tell both."""
        after = step(self.case)
        return Decision(after.case, self.entries + after.entries, self.others + after.others)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The business says no: a stable code, and words for a person."""

    code: str
    message: str


def stamp(case: Case, occasion: Occasion) -> dict[str, Any]:
    """Return the fields that every event about this case has; ``case`` is as it will be after the event."""
    return {
        "case_id": case.case_id,
        "case_number": number_of(case.case_id),
        "version": case.version + 1,
        "state": case.state,
        "occurred_at": occasion.now,
        "policy": occasion.policy.ref,
        "cause": occasion.cause,
        "by": occasion.by,
        "previous_hash": case.hash,
    }


def tell(case: Case, event: CaseEvent | CommandRejected) -> Decision:
    """Append the event to the chain: the case carries its version and hash from now on (Q4)."""
    value, digest = seal(event)
    told = evolve(case, version=case.version + 1, hash=digest, updated_at=event.occurred_at)
    return Decision(told, (Entry(event, derived_id(case.case_id, "version", told.version), value),))


def nothing(case: Case) -> Decision:
    """Leave the case as it is and say nothing."""
    return Decision(case)


def rejected(case: Case, command_type: str, refusal: Refusal, occasion: Occasion) -> Decision:
    """Answer a command with no; the answer takes a version like any other event."""
    event = CommandRejected(
        **stamp(case, occasion),
        command_id=occasion.cause.id,
        command_type=command_type,
        code=refusal.code,
        message=refusal.message,
    )
    return tell(case, event)


def rejected_unknown(case_id: UUID, command_type: str, occasion: Occasion) -> Entry:
    """Answer a command about a case that does not exist: keyed by the given id, without a version."""
    event = CommandRejected(
        case_id=case_id,
        command_id=occasion.cause.id,
        command_type=command_type,
        code="unknown_case",
        message="There is no case with this id.",
        occurred_at=occasion.now,
        policy=occasion.policy.ref,
        cause=occasion.cause,
        by=occasion.by,
    )
    return Entry(event, derived_id(occasion.cause_id, "command_rejected", case_id), event.value())
