"""Which events tell how a case began and what is understood of it?"""

from typing import Literal
from uuid import UUID

from contracts.router.event import CaseEvent
from contracts.values import (
    Attachment,
    Classification,
    Contact,
    Customer,
    Demand,
    Facts,
    History,
    Level,
    Name,
    PersonalText,
    Priority,
    Ref,
    Relation,
    Text,
    Value,
)


class CaseLink(Value):
    """How this case belongs to another (R7)."""

    case_id: UUID
    relation: Relation


class CaseOpened(CaseEvent, type="caseloop.case.opened.v1"):
    """A demand became a case: everything that was decided with it is here (R9)."""

    record_no: Ref
    customer: Customer
    contact: Contact
    history: History
    demand: Demand
    """Carries the classification with its evidence."""
    priority: Priority
    department: Name
    skills: dict[Name, Level] = {}
    links: tuple[CaseLink, ...] = ()
    preferred_agent_id: Ref | None = None
    supervisor_needed: bool = False
    assistance_contact: Text | None = None
    """Safety emergencies: whom to call for help (C4)."""


class CaseContactAttached(CaseEvent, type="caseloop.case.contact_attached.v1"):
    """More words on the same case (R8)."""

    contact: Contact
    customer: Customer
    author: Literal["customer", "agent"]
    text: PersonalText
    attachments: tuple[Attachment, ...] = ()


class CaseReclassified(CaseEvent, type="caseloop.case.reclassified.v1"):
    """An agent, or new words, corrected the classification (C1)."""

    classification: Classification
    previous: Classification
    priority: Priority
    department: Name
    reason: Text


class CaseReprioritised(CaseEvent, type="caseloop.case.reprioritised.v1"):
    """The priority moved into another band (C7)."""

    priority: Priority
    previous_band: Name


class CaseFactsRecorded(CaseEvent, type="caseloop.case.facts_recorded.v1"):
    """Structured facts (R6); ``facts`` holds those that changed."""

    facts: Facts


class CaseProblemRestated(CaseEvent, type="caseloop.case.problem_restated.v1"):
    """The problem in the agent's words (R5)."""

    text: PersonalText


class CaseUnderstandingConfirmed(CaseEvent, type="caseloop.case.understanding_confirmed.v1"):
    """The customer's yes or correction (R5)."""

    confirmed: bool
    correction: PersonalText | None = None


class CaseInformationRequested(CaseEvent, type="caseloop.case.information_requested.v1"):
    """The case waits for the customer (R6)."""

    fields: tuple[Name, ...]
    text: PersonalText | None = None


class CaseInformationReceived(CaseEvent, type="caseloop.case.information_received.v1"):
    """The customer answered; clocks go on (R6)."""

    contact: Contact
    text: PersonalText
