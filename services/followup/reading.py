"""How much of a public message does followup read when it arrives? What time needs; the rest is skipped unread."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from contracts import router
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import Message
from contracts.values import Actor, Cause, Classification, Contact, Customer, Demand
from services.runtime.reading import part_of

_EVENT = ("case_id", "version", "state", "occurred_at", "cause", "by")
"""What is read of every event of the journal."""
_MORE: Mapping[type[Message], tuple[str, ...]] = {
    router.CaseOpened: (
        "customer", "contact", "demand", "department", "preferred_agent_id", "supervisor_needed"
    ),
    router.CaseContactAttached: ("customer", "author"),
    router.CaseReclassified: ("classification", "department"),
    router.CaseAssigned: ("agent_id", "department"),
    router.CaseTransferred: ("to_agent_id", "department"),
    router.CaseProgressed: ("told_customer",),
    router.CustomerNotified: ("purpose",),
    router.PromiseMade: ("promise_id", "due_at"),
    router.PromiseMoved: ("promise_id", "due_at"),
    router.PromiseKept: ("promise_id",),
    router.ClockBreached: ("clock", "escalated"),
    router.CallbackScheduled: ("purpose", "at", "not_after", "phone", "agent_id"),
    router.CallbackCancelled: ("callback_id",),
    router.SurveyAnswered: ("survey_id",),
    router.CaseResolved: ("solution_option_id",),
    router.CaseReopened: ("cycle", "supervisor_needed"),
    router.CaseClosed: ("outcome", "cycle"),
}  # fmt: skip
"""What is read of these events besides."""


def reads(journal: Iterable[type[Message]]) -> Mapping[type[Message], type[Message]]:
    """Return for each event, and for contacts, the class that reads a part; what is read is checked as in the whole."""
    parts = {event: part_of(event, (*_EVENT, *_MORE.get(event, ())), _INNER) for event in journal}
    parts[ContactStarted] = part_of(ContactStarted, ("contact", "customer", "occurred_at"), _INNER)
    parts[ContactReceived] = part_of(ContactReceived, ("contact", "author", "occurred_at", "survey_answer"), _INNER)
    return parts


_INNER: dict[Any, type[BaseModel]] = {
    Cause: part_of(Cause, ("type",)),
    Actor: part_of(Actor, ("kind",)),
    Classification: part_of(Classification, ("scenario", "severity", "emotion", "safety")),
    Contact: part_of(Contact, ("conversation_id", "channel")),
    Customer: part_of(Customer, ("customer_id", "parties", "language", "time_zone")),
}
_INNER[Demand] = part_of(Demand, ("classification",), _INNER)
