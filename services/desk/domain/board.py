"""What does the board show of a case after its events so far?"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts import router
from contracts.message import Message

Changes = dict[str, Any]
JournalEvent = router.CaseEvent | router.CommandRejected
_UNASSIGNED = frozenset({"new", "queued", "offered"})
_NOBODY: Changes = {"agent_id": None, "agent_number": None, "agent_name": None}


class Board(NamedTuple):
    """One row of the board; what an event has not told yet is ``None``. A tuple: many come and go."""

    case_id: UUID
    case_number: str
    version: int
    missing: int
    """How many versions were never seen: more than 0 means that the journal was read with a hole (Q4)."""
    state: str
    opened_at: datetime
    updated_at: datetime
    customer_id: UUID | None = None
    channel: str | None = None
    scenario: str | None = None
    category: str | None = None
    severity: str | None = None
    priority: int | None = None
    band: str | None = None
    department: str | None = None
    agent_id: str | None = None
    agent_number: str | None = None
    agent_name: str | None = None
    supervisor_needed: bool = False
    cycle: int = 1
    facts: Mapping[str, str] | None = None
    promised_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    satisfaction: int | None = None
    merged_into: UUID | None = None


def fold(board: Board | None, events: list[JournalEvent]) -> Board | None:
    """Return the row after these events of one case, in their order; what the row has seen already changes nothing.

    ``None`` when there is neither a row nor an event with a version: a command for a case that never was.
    """
    facts = dict(board.facts or {}) if board else {}
    changes: Changes = {}
    version, missing = (board.version, board.missing) if board else (0, 0)
    first = next((event for event in events if event.version is not None), None)
    for event in events:
        if event.version is None or event.version <= version:
            continue
        missing += event.version - version - 1
        version = event.version
        changes.update(state=event.state, updated_at=event.occurred_at)
        if event.state in _UNASSIGNED:
            changes.update(_NOBODY)
        told = _CHANGES.get(event.type)
        if told is not None:
            told(event, changes, facts)
    if first is None:
        return board
    changes.update(version=version, missing=missing, facts=facts)
    return (board or _begun(first))._replace(**changes)


def has_only_moved(before: Board | None, after: Board) -> bool:
    """Tell whether nothing but version, state and time changed."""
    if before is None:
        return False
    moved = before._replace(
        version=after.version, missing=after.missing, state=after.state, updated_at=after.updated_at
    )
    return moved == after


def _begun(first: JournalEvent) -> Board:
    return Board(
        case_id=first.case_id,
        case_number=first.case_number or "",
        version=0,
        missing=0,
        state=first.state or "new",
        opened_at=first.occurred_at,
        updated_at=first.occurred_at,
    )


def _opened(event: router.CaseOpened, changes: Changes, facts: dict[str, str]) -> None:
    classification = event.demand.classification
    facts.update(event.demand.facts)
    changes.update(
        opened_at=event.occurred_at,
        customer_id=event.customer.customer_id,
        channel=event.contact.channel,
        scenario=classification.scenario,
        category=classification.category,
        severity=classification.severity,
        priority=event.priority.value,
        band=event.priority.band,
        department=event.department,
        supervisor_needed=event.supervisor_needed,
    )


def _reclassified(event: router.CaseReclassified, changes: Changes, _facts: dict[str, str]) -> None:
    now = event.classification
    changes.update(scenario=now.scenario, category=now.category, severity=now.severity, department=event.department)
    changes.update(priority=event.priority.value, band=event.priority.band)


def _prioritised(event: router.CaseReprioritised, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(priority=event.priority.value, band=event.priority.band)


def _breached(event: router.ClockBreached, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(priority=event.priority.value, band=event.priority.band)
    if event.escalated:
        changes.update(supervisor_needed=True)


def _escalated(event: router.CaseEscalated, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(priority=event.priority.value, band=event.priority.band, supervisor_needed=True)


def _assigned(event: router.CaseAssigned, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(agent_id=event.agent_id, agent_number=event.agent_number, agent_name=event.agent_name)
    changes.update(department=event.department)


def _transferred(event: router.CaseTransferred, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(department=event.department)


def _facts_recorded(event: router.CaseFactsRecorded, _changes: Changes, facts: dict[str, str]) -> None:
    facts.update(event.facts)


def _promised(event: router.PromiseMade | router.PromiseMoved, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(promised_at=event.due_at)


def _resolved(event: router.CaseResolved, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(resolved_at=event.occurred_at, cycle=event.cycle)


def _reopened(event: router.CaseReopened, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(resolved_at=None, closed_at=None, outcome=None, cycle=event.cycle)
    changes.update(supervisor_needed=event.supervisor_needed)


def _closed(event: router.CaseClosed, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(closed_at=event.occurred_at, outcome=event.outcome, cycle=event.cycle)


def _surveyed(event: router.SurveyAnswered, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(satisfaction=event.overall)


def _merged(event: router.CaseMerged, changes: Changes, _facts: dict[str, str]) -> None:
    changes.update(merged_into=event.into_case_id)


_Change = Callable[[Any, Changes, dict[str, str]], None]
_TOLD: tuple[tuple[type[Message], _Change, tuple[str, ...]], ...] = (
    (
        router.CaseOpened,
        _opened,
        ("occurred_at", "demand", "customer", "contact", "priority", "department", "supervisor_needed"),
    ),
    (router.CaseReclassified, _reclassified, ("classification", "department", "priority")),
    (router.CaseReprioritised, _prioritised, ("priority",)),
    (router.ClockBreached, _breached, ("priority", "escalated")),
    (router.CaseEscalated, _escalated, ("priority",)),
    (router.CaseAssigned, _assigned, ("agent_id", "agent_number", "agent_name", "department")),
    (router.CaseTransferred, _transferred, ("department",)),
    (router.CaseFactsRecorded, _facts_recorded, ("facts",)),
    (router.PromiseMade, _promised, ("due_at",)),
    (router.PromiseMoved, _promised, ("due_at",)),
    (router.CaseResolved, _resolved, ("occurred_at", "cycle")),
    (router.CaseReopened, _reopened, ("cycle", "supervisor_needed")),
    (router.CaseClosed, _closed, ("occurred_at", "outcome", "cycle")),
    (router.SurveyAnswered, _surveyed, ("overall",)),
    (router.CaseMerged, _merged, ("into_case_id",)),
)
"""Events that change more of the row than version, state and time, how, and by which of their fields."""
_CHANGES: Mapping[str, _Change] = {message.type: change for message, change, _ in _TOLD}
FIELDS: Mapping[str, tuple[str, ...]] = {message.type: fields for message, _, fields in _TOLD}
"""What the board reads of an event, by its type."""
