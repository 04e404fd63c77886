"""What does intake say: who wrote, what they need, and which case it proposes?"""

from typing import ClassVar, Literal
from uuid import UUID

from contracts.message import Message
from contracts.values import (
    Attachment,
    Cause,
    Contact,
    Customer,
    Demand,
    History,
    Moment,
    PersonalRef,
    PersonalText,
    PolicyRef,
    Ref,
    Score,
    Seconds,
    Value,
)


class ContactMessage(Message):
    """What intake understood of one channel event."""

    topic: ClassVar[str] = "contacts"
    contact: Contact
    customer: Customer
    occurred_at: Moment
    policy: PolicyRef
    cause: Cause

    def key(self) -> str:
        """Return the conversation id."""
        return self.contact.conversation_id


class ContactStarted(ContactMessage, type="caseloop.contact.started.v1"):
    """A contact begins: the greeting is due (R2)."""

    agent_id: Ref | None = None
    history: History = History()


class ProposedDemand(Value):
    """A demand and the case it should become, or belong to; the router has the last word (R7, R8)."""

    demand: Demand
    case_id: UUID
    """A derived id: the new case's, or that of an open case."""
    relation: Literal["opens", "joins", "follows_up"]
    follows: UUID | None = None
    """With ``follows_up``: the closed case this one continues (L1)."""


class SurveyAnswer(Value):
    """Scores read out of a customer's reply (F4)."""

    survey_id: UUID
    response_speed: Score | None = None
    effectiveness: Score | None = None
    attitude: Score | None = None
    overall: Score
    text: PersonalText | None = None


class ConfirmationReply(Value):
    """A plain yes or no of the customer about a solved case (L1, F3)."""

    case_id: UUID
    solved: bool


class ContactReceived(ContactMessage, type="caseloop.contact.received.v1"):
    """A customer's (or agent's) words, understood: demands, an addition, an answer, or no need yet (R3, R7, R8)."""

    author: Literal["customer", "agent"]
    agent_id: Ref | None = None
    text: PersonalText
    attachments: tuple[Attachment, ...] = ()
    history: History = History()
    demands: tuple[ProposedDemand, ...] = ()
    joins: tuple[UUID, ...] = ()
    """Open cases to which these words are only an addition."""
    choice_needed: bool = False
    """No need is stated: the customer is asked to choose (R3)."""
    survey_answer: SurveyAnswer | None = None
    confirmation: ConfirmationReply | None = None


class ContactIgnored(ContactMessage, type="caseloop.contact.ignored.v1"):
    """An automatic message, a bounce, a mailing list or a loop: kept visible, never answered (R2, R8)."""

    reason: Literal["automatic", "bounce", "mailing_list", "loop", "own_message"]


class ContactEnded(ContactMessage, type="caseloop.contact.ended.v1"):
    """The connection is over; the clocks of the contact stop."""

    ended_by: Literal["customer", "agent", "system"]
    duration_seconds: Seconds
    cases: tuple[UUID, ...] = ()


class ContactCallbackRequested(ContactMessage, type="caseloop.contact.callback_requested.v1"):
    """The customer wants to be called back: on a case of the conversation, or on a new one (A4, F2)."""

    phone: PersonalRef
    preferred_at: Moment | None = None
    time_zone: Ref | None = None
    purpose: PersonalText | None = None
    case_id: UUID
    """The open case of the conversation, else the derived id of a new one, described by ``demand``."""
    demand: ProposedDemand | None = None
    history: History = History()
