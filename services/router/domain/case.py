"""What does the router know of a case?"""

from functools import lru_cache
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.case_number import case_number
from contracts.router.event import ZERO_HASH
from contracts.router.opening import CaseLink
from contracts.values import (
    CallbackPurpose,
    CaseState,
    Channel,
    Classification,
    Contact,
    Customer,
    Facts,
    Hash,
    Level,
    Moment,
    Name,
    PersonalText,
    Priority,
    Ref,
    Text,
    Value,
)
from services.router.domain.unchecked import shared, unchecked

OPEN: frozenset[CaseState] = frozenset({"queued", "offered", "assigned", "waiting_customer", "waiting_department"})
"""Somebody has to do something."""
HELD: frozenset[CaseState] = frozenset({"assigned", "waiting_customer", "waiting_department"})
"""A named agent has it."""
LIVE: frozenset[CaseState] = OPEN | {"solved"}
"""Not over yet."""
ENDED: frozenset[CaseState] = frozenset({"closed", "spam"})
"""Over; may be reopened."""
number_of = lru_cache(maxsize=4096)(case_number)
"""The case's number; every event and snapshot carries it, and it is computed once while it is remembered."""
ALL: frozenset[CaseState] = LIVE | ENDED
"""Every state but ``merged``: that case goes on elsewhere."""


class Offer(Value):
    """The offer that is out: at most one at a time (A2)."""

    offer_id: UUID
    agent_id: Ref
    agent_name: Ref
    agent_number: Ref
    expires_at: Moment


class Promise(Value):
    """A time told to the customer (S2)."""

    promise_id: UUID
    what: PersonalText
    due_at: Moment
    state: Literal["open", "kept", "breached"] = "open"


class WorkOrder(Value):
    """Work of another department, node by node (A5)."""

    work_order_no: Ref
    department: Name
    responsible: Ref
    nodes: dict[Text, Literal["open", "in_progress", "done", "blocked"]]

    @property
    def complete(self) -> bool:
        """Tell whether every node is done."""
        return all(state == "done" for state in self.nodes.values())


class Callback(Value):
    """A call to the customer, one per purpose (F2)."""

    callback_id: UUID
    purpose: CallbackPurpose
    at: Moment
    phone: PersonalText | None = None
    state: Literal["planned", "done", "exhausted", "cancelled"] = "planned"


class Survey(Value):
    """The last question for a verdict (F4)."""

    survey_id: UUID
    answered: bool = False


class Case(Value):
    """One case as of ``version``; every change of it is an event of the journal."""

    case_id: UUID
    version: int = 0
    hash: Hash = ZERO_HASH
    state: CaseState = "new"
    opened_at: Moment
    updated_at: Moment
    aged_from: Moment
    """When this cycle began: age and deadline count from here, whatever queue the case stands in (C7)."""
    queued_at: Moment
    """When the case last came to a queue for another reason than an agent who did not take it (A3)."""
    customer: Customer
    contact: Contact
    text: PersonalText
    facts: Facts = Field(default_factory=dict)
    classification: Classification
    priority: Priority
    department: Name
    skills: dict[Name, Level] = Field(default_factory=dict)
    repeat: bool = False
    agent_id: Ref | None = None
    held_channel: Channel | None = None
    """The channel on which the agent's units are taken, fixed when the agent was chosen."""
    worked_at: Moment | None = None
    """When somebody last took or asked anything; a case nobody works on goes back to the queue (A7)."""
    offer: Offer | None = None
    offers: int = 0
    declined: tuple[Ref, ...] = ()
    """Who is not asked again for this case (A2)."""
    preferred_agent_id: Ref | None = None
    supervisor_needed: bool = False
    promises: tuple[Promise, ...] = ()
    milestones: tuple[Name, ...] = ()
    links: tuple[CaseLink, ...] = ()
    options: tuple[Ref, ...] = ()
    work_orders: tuple[WorkOrder, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    survey: Survey | None = None
    resolution: PersonalText | None = None
    cycle: int = 1
    solved_at: Moment | None = None
    ended_at: Moment | None = None
    merged_into: UUID | None = None

    def promise(self, promise_id: UUID) -> Promise | None:
        """Return the promise with this id."""
        return next((promise for promise in self.promises if promise.promise_id == promise_id), None)

    def callback(self, callback_id: UUID) -> Callback | None:
        """Return the callback with this id."""
        return next((callback for callback in self.callbacks if callback.callback_id == callback_id), None)


def evolve(case: Case, **changes: object) -> Case:
    """Return the case with these fields changed; their types are checked where the events are made.

    What ``model_copy`` does for a model without private attributes or extra fields, at a tenth of its price: every
    event changes its case two or three times.
    """
    known = case.__pydantic_fields_set__
    given = known if changes.keys() <= known else shared(frozenset(known | changes.keys()))
    return unchecked(Case, case.__dict__ | changes, given)
