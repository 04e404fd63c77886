"""How much of a message does notify read when it arrives? What its words, ways and waiting messages need."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from contracts import followup, intake, router
from contracts.message import Message
from contracts.values import Classification, Contact, Customer, Demand
from services.runtime.reading import part_of

_JOURNAL = ("case_id", "version", "state", "occurred_at")
_FIELDS: Mapping[type[Message], tuple[str, ...]] = {
    router.CaseOpened: (*_JOURNAL, "case_number", "contact", "customer", "demand", "assistance_contact"),
    router.CaseAssigned: (*_JOURNAL, "agent_id", "agent_name", "agent_number"),
    router.CaseClosed: (*_JOURNAL, "cycle"),
    router.CaseContactAttached: (*_JOURNAL, "contact", "customer", "author", "by"),
    router.CaseEscalated: _JOURNAL,
    router.CaseInformationReceived: (*_JOURNAL, "contact"),
    router.CaseInformationRequested: (*_JOURNAL, "fields", "text"),
    router.CaseMarkedSpam: _JOURNAL,
    router.CaseMerged: _JOURNAL,
    router.CaseProgressed: (*_JOURNAL, "step", "told_customer"),
    router.CaseReclassified: (*_JOURNAL, "classification"),
    router.CaseReopened: (*_JOURNAL, "cycle"),
    router.CaseResolved: (*_JOURNAL, "cycle", "resolution"),
    router.ClockWarned: (*_JOURNAL, "clock", "percent", "due_at", "promise_id"),
    router.MilestoneReached: (*_JOURNAL, "cycle", "milestone", "details"),
    router.PromiseBreached: (*_JOURNAL, "promise_id", "due_at"),
    router.PromiseMoved: (*_JOURNAL, "promise_id", "due_at", "what", "reason", "compensation"),
    router.SolutionProposed: (*_JOURNAL, "options"),
    intake.ContactStarted: ("contact", "customer", "occurred_at"),
    intake.ContactReceived: ("contact", "customer", "occurred_at", "author", "choice_needed"),
    intake.ContactEnded: ("contact", "cases"),
    followup.ReminderDue: ("case_id", "occurred_at", "cause", "about", "step"),
    followup.SurveyRequested: ("case_id", "occurred_at", "survey_id", "channel", "language"),
}
"""What is read of a message; what is not named here is read as a whole."""


def reads() -> Mapping[type[Message], type[Message]]:
    """Return for each of these messages the class that reads a part of it; what is read is checked as in the whole."""
    return {message: part_of(message, names, _INNER) for message, names in _FIELDS.items()}


_INNER: dict[Any, type[BaseModel]] = {
    Contact: part_of(Contact, ("contact_id", "conversation_id", "channel", "reply_token", "in_reply_to", "subject")),
    Customer: part_of(Customer, ("customer_id", "parties", "language", "time_zone")),
    Classification: part_of(Classification, ("severity", "emotion", "safety")),
}
_INNER[Demand] = part_of(Demand, ("classification",), _INNER)
