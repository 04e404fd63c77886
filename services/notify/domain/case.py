"""What does notify need to remember of a case to be able to write to its customer later?"""

from dataclasses import dataclass, replace
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
from contracts.values import CaseState, Classification
from services.notify.domain.recipients import Recipient, recipient_of

AT_WORK: frozenset[CaseState] = frozenset(
    {"new", "queued", "offered", "assigned", "waiting_customer", "waiting_department"},
)
UNATTENDED: frozenset[CaseState] = frozenset({"new", "queued", "offered"})


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
    known = replace(case, version=event.version, state=event.state)
    if isinstance(event, CaseContactAttached | CaseInformationReceived):
        return replace(known, recipient=_followed(known.recipient, event))
    return _learned(known, event)


def _learned(case: Case, event: CaseEvent) -> Case:
    match event:
        case CaseInformationRequested():
            return replace(case, asked=event.fields)
        case CaseProgressed():
            return replace(case, step=event.told_customer or event.step)
        case CaseReclassified():
            return replace(case, urgent=_urgent(event.classification), upset=_upset(event.classification))
        case CaseReopened():
            return replace(case, cycle=event.cycle, step="")
        case _:
            return case


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


def _followed(recipient: Recipient, event: CaseContactAttached | CaseInformationReceived) -> Recipient:
    """Return where the customer is now: in the last conversation in which they wrote themselves."""
    if isinstance(event, CaseContactAttached) and (event.author != "customer" or _is_somebody_else(event)):
        return recipient
    parties = event.customer.parties if isinstance(event, CaseContactAttached) else ()
    return replace(
        recipient,
        channel=event.contact.channel,
        conversation_id=event.contact.conversation_id,
        parties=parties or recipient.parties,
        in_reply_to=event.contact.in_reply_to,
        subject=event.contact.subject or recipient.subject,
        live=True,
    )


def _is_somebody_else(event: CaseContactAttached) -> bool:
    """Tell whether the words are of another than the case's customer: no answer goes there."""
    return event.by.kind == "customer" and event.by.id != str(event.customer.customer_id)


def left_chat(case: Case, conversation_id: str) -> Case | None:
    """Return the case once this chat has ended; ``None`` when the customer is elsewhere."""
    to = case.recipient
    if to.channel != "chat" or to.conversation_id != conversation_id or not to.live:
        return None
    return replace(case, recipient=replace(to, live=False))
