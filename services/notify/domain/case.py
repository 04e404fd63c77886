"""What does notify need to remember of a case to be able to write to its customer later?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from contracts.router import (
    CaseContactAttached,
    CaseEvent,
    CaseInformationReceived,
    CaseInformationRequested,
    CaseOpened,
    CaseProgressed,
    CaseReclassified,
    CaseReopened,
)
from contracts.values import CaseState, Classification, Contact, Party
from services.notify.domain.recipients import Recipient, recipient_of

AT_WORK: frozenset[CaseState] = frozenset(
    {"new", "queued", "offered", "assigned", "waiting_customer", "waiting_department"},
)
ASSIGNED: frozenset[CaseState] = frozenset({"assigned"})
WAITING: frozenset[CaseState] = frozenset({"waiting_customer"})
SOLVED: frozenset[CaseState] = frozenset({"solved"})
CLOSED: frozenset[CaseState] = frozenset({"closed"})
OVER: frozenset[CaseState] = SOLVED | CLOSED
UNATTENDED: frozenset[CaseState] = frozenset({"new", "queued", "offered"})
Learned = dict[str, Any]
"""New values of a case's fields."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as far as its customer's messages need it."""

    case_id: UUID
    case_number: str
    version: int
    state: CaseState
    recipient: Recipient
    cycle: int = 1
    urgent: bool = False
    upset: bool = False
    asked: tuple[str, ...] = ()
    """What the customer was last asked for (R6)."""
    step: str = ""
    """The last step of the work, for progress notices (S5)."""


def remembered(case: Case | None, event: CaseEvent) -> Case | None:
    """Return the case after this event; ``None`` when its beginning was never seen."""
    if isinstance(event, CaseOpened):
        return _opened(event)
    if case is None:
        return None
    learn = _LEARNED.get(event.type)
    learned = {} if learn is None else learn(case, event)
    return replace(case, version=event.version, state=event.state, **learned)


def _opened(event: CaseOpened) -> Case:
    judged = event.demand.classification
    return Case(
        case_id=event.case_id,
        case_number=event.case_number,
        version=event.version,
        state=event.state,
        recipient=recipient_of(event.contact, event.customer, event.case_number),
        urgent=_urgent(judged),
        upset=_upset(judged),
    )


def _urgent(judged: Classification) -> bool:
    return judged.safety or judged.severity == "urgent"


def _upset(judged: Classification) -> bool:
    return judged.emotion != "calm"


def _asked(_case: Case, event: CaseInformationRequested) -> Learned:
    return {"asked": event.fields}


def _progressed(_case: Case, event: CaseProgressed) -> Learned:
    return {"step": event.told_customer or event.step}


def _reclassified(_case: Case, event: CaseReclassified) -> Learned:
    return {"urgent": _urgent(event.classification), "upset": _upset(event.classification)}


def _reopened(_case: Case, event: CaseReopened) -> Learned:
    return {"cycle": event.cycle, "step": ""}


def _attached(case: Case, event: CaseContactAttached) -> Learned:
    """Follow the customer, nobody else: no answer goes to another than the case's customer."""
    if event.author != "customer" or _is_somebody_else(event):
        return {}
    return {"recipient": _followed(case.recipient, event.contact, event.customer.parties)}


def _informed(case: Case, event: CaseInformationReceived) -> Learned:
    return {"recipient": _followed(case.recipient, event.contact)}


def _followed(recipient: Recipient, contact: Contact, parties: tuple[Party, ...] = ()) -> Recipient:
    """Return where the customer is now: in the last conversation in which they wrote themselves."""
    return replace(
        recipient,
        channel=contact.channel,
        conversation_id=contact.conversation_id,
        parties=parties or recipient.parties,
        in_reply_to=contact.in_reply_to,
        subject=contact.subject or recipient.subject,
        live=True,
    )


def _is_somebody_else(event: CaseContactAttached) -> bool:
    """Tell whether the words are of another than the case's customer."""
    return event.by.kind == "customer" and event.by.id != str(event.customer.customer_id)


def left_chat(case: Case, conversation_id: str) -> Case | None:
    """Return the case once this chat has ended; ``None`` when the customer is elsewhere."""
    to = case.recipient
    if to.channel != "chat" or to.conversation_id != conversation_id or not to.live:
        return None
    return replace(case, recipient=replace(to, live=False))


_LEARNED: Mapping[str, Callable[[Case, Any], Learned]] = {
    CaseContactAttached.type: _attached,
    CaseInformationReceived.type: _informed,
    CaseInformationRequested.type: _asked,
    CaseProgressed.type: _progressed,
    CaseReclassified.type: _reclassified,
    CaseReopened.type: _reopened,
}
"""What an event changes beside version and state; a table, for to ask a model for its class takes many steps."""
