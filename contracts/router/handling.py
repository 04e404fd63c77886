"""Which events tell who handles a case, and why that person?"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.router.event import CaseEvent
from contracts.values import Level, Moment, Name, Priority, Ref, Text, Value


class Candidate(Value):
    """An agent who could take the case, with what ranked it."""

    agent_id: Ref
    skill_points: int
    idle_seconds: int
    free_units: int


class Exclusion(Value):
    """Why agents could not take the case: the first rule that removed each."""

    rule: Literal[
        "presence",
        "department",
        "role",
        "language",
        "skill",
        "capacity_channel",
        "capacity_total",
        "declined",
        "not_preferred",
    ]
    agent_ids: tuple[Ref, ...]


class DecisionRecord(Value):
    """The answer to "why this agent, and why not that one?" (A2, A3)."""

    step: Ref
    """The relaxation step that found somebody: ``preferred``, ``skills``, ``relaxed_1`` ..., ``overflow``."""
    waited_seconds: int
    candidates: tuple[Candidate, ...]
    """Best first; the first was chosen. At most 20; ``candidates_total`` counts all."""
    candidates_total: int
    excluded: tuple[Exclusion, ...]


class CaseOffered(CaseEvent, type="caseloop.case.offered.v1"):
    """An agent is asked (A2)."""

    offer_id: UUID
    agent_id: Ref
    expires_at: Moment
    decision: DecisionRecord


class CaseOfferEnded(CaseEvent, type="caseloop.case.offer_ended.v1"):
    """The agent did not take it; it is offered to another (A2)."""

    offer_id: UUID
    agent_id: Ref
    outcome: Literal["declined", "expired", "withdrawn"]
    reason: Text | None = None


class CaseAssigned(CaseEvent, type="caseloop.case.assigned.v1"):
    """The case has a named handler (A1)."""

    agent_id: Ref
    agent_number: Ref
    agent_name: Ref
    department: Name
    offer_id: UUID | None = None
    decision: DecisionRecord | None = None
    """Present when no offer went before (``auto_accept``)."""


class CaseReleased(CaseEvent, type="caseloop.case.released.v1"):
    """The case goes back to the queue (A7)."""

    agent_id: Ref
    reason: Literal["agent_offline", "idle", "by_request"]


class CaseTransferred(CaseEvent, type="caseloop.case.transferred.v1"):
    """The case was passed on; the customer agreed (A4)."""

    from_agent_id: Ref | None = None
    department: Name
    to_agent_id: Ref | None = None
    skills: dict[Name, Level] = {}
    reason: Text


class CaseEscalated(CaseEvent, type="caseloop.case.escalated.v1"):
    """A supervisor takes over (A6)."""

    reason: Text
    from_agent_id: Ref | None = None
    priority: Priority


class CaseRelieved(CaseEvent, type="caseloop.case.relieved.v1"):
    """A colleague takes over from an agent who asked for relief (C5)."""

    agent_id: Ref
    reason: Text


class WorkOrderOpened(CaseEvent, type="caseloop.case.work_order_opened.v1"):
    """Another department has work on this case (A5)."""

    work_order_no: Ref
    department: Name
    responsible: Ref
    nodes: Annotated[tuple[Text, ...], Field(min_length=1)]


class WorkOrderUpdated(CaseEvent, type="caseloop.case.work_order_updated.v1"):
    """A node of a work order moved on (A5)."""

    work_order_no: Ref
    node: Text
    node_state: Literal["open", "in_progress", "done", "blocked"]
    note: Text | None = None
    complete: bool
