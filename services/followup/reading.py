"""How much of a public message does followup read when it arrives? What time needs; the rest is skipped unread."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, create_model

from contracts import router
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import Message
from contracts.values import Actor, Cause, Classification, Contact, Customer, Demand

Model = TypeVar("Model", bound=BaseModel)
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
    parts = {event: _part(event, (*_EVENT, *_MORE.get(event, ()))) for event in journal}
    parts[ContactStarted] = _part(ContactStarted, ("contact", "customer", "occurred_at"))
    parts[ContactReceived] = _part(ContactReceived, ("contact", "author", "occurred_at", "survey_answer"))
    return parts


def _part(whole: type[Model], names: Iterable[str]) -> type[Model]:
    """Return the class without its other fields, and with parts of its parts.

    It is a subclass, so that decisions are made about the public class. A field that is declared again as a class
    variable is none: the parser passes over it, which halves the time of reading, and whoever asks for it gets an
    ``AttributeError``.
    """
    unread: dict[str, Any] = dict.fromkeys(whole.model_fields.keys() - set(names), ClassVar[Any])
    inner: dict[str, Any] = {
        name: _INNER[field.annotation]
        for name, field in whole.model_fields.items()
        if name not in unread and field.annotation in _INNER
    }
    part: type[Model] = create_model(whole.__name__, __base__=whole, **unread, **inner)
    return part


_INNER: dict[Any, type[BaseModel]] = {}
_INNER[Cause] = _part(Cause, ("type",))
_INNER[Actor] = _part(Actor, ("kind",))
_INNER[Classification] = _part(Classification, ("scenario", "severity", "emotion", "safety"))
_INNER[Contact] = _part(Contact, ("conversation_id", "channel"))
_INNER[Customer] = _part(Customer, ("customer_id", "parties", "language", "time_zone"))
_INNER[Demand] = _part(Demand, ("classification",))
