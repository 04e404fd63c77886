"""What does the board show of a case after its events so far?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import router
from contracts.message import Message

Changes = dict[str, Any]
JournalEvent = router.CaseEvent | router.CommandRejected
_UNASSIGNED = frozenset({"new", "queued", "offered"})
_NOBODY: Changes = {"agent_id": None, "agent_number": None, "agent_name": None}


@dataclass(frozen=True, slots=True)
class Board:
    """One row of the board; what an event has not told yet is ``None``."""

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
        told = _CHANGES.get(type(event))
        if told is not None:
            told(event, changes, facts)
    if first is None:
        return board
    return replace(board or _begun(first), **changes, version=version, missing=missing, facts=facts)


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


def _prioritised(
    event: router.CaseReprioritised | router.ClockBreached,
    changes: Changes,
    _facts: dict[str, str],
) -> None:
    changes.update(priority=event.priority.value, band=event.priority.band)
    if isinstance(event, router.ClockBreached) and event.escalated:
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


_CHANGES: dict[type[Message], Callable[[Any, Changes, dict[str, str]], None]] = {
    router.CaseOpened: _opened,
    router.CaseReclassified: _reclassified,
    router.CaseReprioritised: _prioritised,
    router.ClockBreached: _prioritised,
    router.CaseEscalated: _escalated,
    router.CaseAssigned: _assigned,
    router.CaseTransferred: _transferred,
    router.CaseFactsRecorded: _facts_recorded,
    router.PromiseMade: _promised,
    router.PromiseMoved: _promised,
    router.CaseResolved: _resolved,
    router.CaseReopened: _reopened,
    router.CaseClosed: _closed,
    router.SurveyAnswered: _surveyed,
    router.CaseMerged: _merged,
}
"""Events that change more of the row than version, state and time."""
