"""How much of a message does notify read when it arrives? What its words, ways and waiting messages need."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, create_model

from contracts import followup, intake, router
from contracts.message import Message
from contracts.values import Classification, Contact, Customer, Demand

Model = TypeVar("Model", bound=BaseModel)
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
    return {message: _part(message, names) for message, names in _FIELDS.items()}


def _part(whole: type[Model], names: Iterable[str]) -> type[Model]:
    """Return the class without its other fields, and with parts of its parts.

    It is a subclass, so that decisions are made about the public class. A field that is declared again as a class
    variable is none: the parser passes over it, and whoever asks for it gets an ``AttributeError``.
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
_INNER[Contact] = _part(Contact, ("contact_id", "conversation_id", "channel", "reply_token", "in_reply_to", "subject"))
_INNER[Customer] = _part(Customer, ("customer_id", "parties", "language", "time_zone"))
_INNER[Classification] = _part(Classification, ("severity", "emotion", "safety"))
_INNER[Demand] = _part(Demand, ("classification",))
