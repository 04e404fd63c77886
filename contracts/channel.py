"""What do channel gateways and exchanges tell us: contacts, agents' presence, receipts?"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from contracts.message import Message
from contracts.values import (
    Attachment,
    CallOutcome,
    Channel,
    Language,
    Level,
    Moment,
    Name,
    Party,
    PersonalRef,
    PersonalText,
    Presence,
    Ref,
    Role,
    Seconds,
    Value,
)


class ChannelMessage(Message):
    """What happened on a channel; the topic is that channel's."""

    key_field: ClassVar[str] = "conversation_id"
    channel: Channel

    def topic_name(self) -> str:
        """Return ``channel.<channel>``."""
        return f"channel.{self.channel}"


class ConversationStarted(ChannelMessage, type="caseloop.channel.conversation_started.v1"):
    """A customer was connected: a ringing call, an opened chat (R2)."""

    conversation_id: Ref
    from_: Annotated[tuple[Party, ...], Field(alias="from")] = ()
    to: PersonalText
    language: Language | None = None
    display_name: PersonalText | None = None
    agent_id: Ref | None = None


class MessageReceived(ChannelMessage, type="caseloop.channel.message_received.v1"):
    """Somebody said something: text of chat, social, SMS, a phone transcript or an agent's note of a call."""

    conversation_id: Ref
    message_id: Ref
    author: Literal["customer", "agent"]
    agent_id: Ref | None = None
    from_: Annotated[tuple[Party, ...], Field(alias="from")] = ()
    text: PersonalText
    language: Language | None = None
    attachments: tuple[Attachment, ...] = ()


class EmailReceived(ChannelMessage, type="caseloop.channel.email_received.v1"):
    """An e-mail as received; the conversation is derived from its thread (R8)."""

    channel: Literal["email"]
    conversation_id: Ref | None = None
    raw_base64: Annotated[str, Field(max_length=524_288, json_schema_extra={"x-personal": True})]

    def key(self) -> str:
        """Return the gateway's thread guess, or nothing: intake derives the conversation itself."""
        return self.conversation_id or ""


class ConversationEnded(ChannelMessage, type="caseloop.channel.conversation_ended.v1"):
    """The connection is over."""

    conversation_id: Ref
    ended_by: Literal["customer", "agent", "system"]
    duration_seconds: Seconds


class CallbackRequested(ChannelMessage, type="caseloop.channel.callback_requested.v1"):
    """The customer asks on a channel to be called back (A4, F2)."""

    conversation_id: Ref
    phone: PersonalRef
    preferred_at: Moment | None = None
    time_zone: Ref | None = None
    purpose: PersonalText | None = None


class Capacity(Value):
    """How many units of work an agent may hold: in all, and per channel (A2)."""

    total: Annotated[int, Field(ge=0, le=1000)]
    phone: Annotated[int, Field(ge=0, le=1000)] = 0
    chat: Annotated[int, Field(ge=0, le=1000)] = 0
    email: Annotated[int, Field(ge=0, le=1000)] = 0
    social: Annotated[int, Field(ge=0, le=1000)] = 0
    sms: Annotated[int, Field(ge=0, le=1000)] = 0


class AgentProfileSet(Message, type="caseloop.agent.profile_set.v1"):
    """Who an agent is and what the agent can take (A1, A2)."""

    topic: ClassVar[str] = "agents"
    key_field: ClassVar[str] = "agent_id"
    agent_id: Ref
    number: Ref
    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role
    department: Name
    skills: dict[Name, Level] = {}
    languages: tuple[Language, ...] = ()
    capacity: Capacity
    auto_accept: bool = False
    time_zone: Ref = "UTC"


class AgentPresenceChanged(Message, type="caseloop.agent.presence_changed.v1"):
    """Whether an agent can be asked now (A2)."""

    topic: ClassVar[str] = "agents"
    key_field: ClassVar[str] = "agent_id"
    agent_id: Ref
    presence: Presence
    reason: Annotated[str, Field(max_length=500)] | None = None


class DeliveryReported(Message, type="caseloop.receipt.delivery_reported.v1"):
    """What a provider or gateway says became of a message; by our id, or by the provider's reference."""

    topic: ClassVar[str] = "channel.receipts"
    delivery_id: UUID | None = None
    provider: Ref | None = None
    provider_ref: Ref | None = None
    status: Literal["accepted", "sent", "delivered", "read", "failed", "undelivered"]
    reason: Annotated[str, Field(max_length=500)] | None = None
    at: Moment

    @model_validator(mode="after")
    def _names_the_delivery(self) -> "DeliveryReported":
        if self.delivery_id is None and (self.provider is None or self.provider_ref is None):
            problem = "give delivery_id, or provider together with provider_ref"
            raise ValueError(problem)
        return self

    def key(self) -> str:
        """Return the delivery id, else the provider's reference."""
        return str(self.delivery_id) if self.delivery_id else f"{self.provider}:{self.provider_ref}"


class CallReported(Message, type="caseloop.receipt.call_reported.v1"):
    """How one attempt of a callback went (F2)."""

    topic: ClassVar[str] = "channel.receipts"
    key_field: ClassVar[str] = "callback_id"
    callback_id: UUID
    attempt: Annotated[int, Field(ge=1)]
    outcome: CallOutcome
    duration_seconds: Seconds | None = None
    solved: bool | None = None
    text: PersonalText | None = None
    at: Moment
