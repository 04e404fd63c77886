"""What does notify say: what became of each message, and what should a gateway show, send or dial?"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.message import Message
from contracts.values import (
    CallbackPurpose,
    Cause,
    Channel,
    Language,
    Moment,
    Name,
    Party,
    PersonalText,
    PolicyRef,
    Ref,
    Text,
    Value,
)


class Notification(Message):
    """One step in the life of a message to a customer; ``delivery_id`` is derived, so a repeat is recognisable."""

    topic: ClassVar[str] = "notifications"
    key_field: ClassVar[str] = "case_id"
    delivery_id: UUID
    case_id: UUID
    purpose: Name
    channel: Channel
    occurred_at: Moment
    policy: PolicyRef
    cause: Cause
    milestone: Name | None = None
    provider: Ref | None = None
    reason: Text | None = None


class NotificationRequested(Notification, type="caseloop.notification.requested.v1"):
    """The intention is stored."""


class NotificationDeferred(Notification, type="caseloop.notification.deferred.v1"):
    """Not now: quiet hours or a provider's limit; it goes out later."""

    until: Moment


class NotificationSent(Notification, type="caseloop.notification.sent.v1"):
    """The provider or gateway took it."""

    provider_ref: Ref | None = None


class NotificationDelivered(Notification, type="caseloop.notification.delivered.v1"):
    """A receipt says it arrived."""


class NotificationUndelivered(Notification, type="caseloop.notification.failed.v1"):
    """It will not arrive."""


class NotificationUnknown(Notification, type="caseloop.notification.unknown.v1"):
    """The provider may or may not have taken it; it is looked up, never blindly resent."""


class NotificationSuppressed(Notification, type="caseloop.notification.suppressed.v1"):
    """Policy or the customer's wish forbade it."""


class NotificationDropped(Notification, type="caseloop.notification.dropped.v1"):
    """Later events made it pointless."""


class Choice(Value):
    """One answer the customer can pick (R3)."""

    id: Name
    label: Text


class OutboundMessageRequested(Message, type="caseloop.outbound.message_requested.v1"):
    """A gateway shows or sends this text."""

    topic: ClassVar[str] = "channel.outbound"
    delivery_id: UUID
    channel: Channel
    conversation_id: Ref | None = None
    to: Party
    language: Language
    text: PersonalText
    template: Ref
    purpose: Name
    case_id: UUID | None = None
    choices: tuple[Choice, ...] | None = None
    expires_at: Moment
    subject_line: PersonalText | None = None
    """E-mail only, with the case's token."""
    in_reply_to: PersonalText | None = None
    """E-mail only: Message-ID this answers."""

    def key(self) -> str:
        """Return the conversation id, else the recipient."""
        return self.conversation_id or self.to.value


class OutboundCallRequested(Message, type="caseloop.outbound.call_requested.v1"):
    """A gateway places this call and reports it on ``channel.receipts``."""

    topic: ClassVar[str] = "channel.outbound"
    callback_id: UUID
    attempt: Annotated[int, Field(ge=1)]
    to: Party
    agent_id: Ref | None = None
    mode: Literal["agent_first", "customer_first"]
    not_before: Moment
    not_after: Moment
    purpose: CallbackPurpose
    script: Text
    case_id: UUID

    def key(self) -> str:
        """Return the recipient."""
        return self.to.value
