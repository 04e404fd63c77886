"""What came in on a channel, made comparable: whose identifiers, which conversation, which words?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.channel import ChannelMessage, ConversationStarted, EmailReceived, MessageReceived
from contracts.message import derived_id
from contracts.policy.classification import ClassificationPolicy
from contracts.values import Attachment, Cause, Party
from services.intake.domain.facts import case_token, facts_of
from services.intake.domain.identity import identifiers_of
from services.intake.domain.mail import Mail, decoded, read_mail
from services.intake.domain.normalization import storable
from services.intake.domain.scope import ConversationKey, scoped
from services.intake.domain.state import Identifier

TOKEN_TEXT_MAX = 20_000
"""How far into a mail's quoted part a case number is looked for."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One channel event."""

    message: ChannelMessage
    message_id: UUID
    cause: Cause
    at: datetime
    identifiers: tuple[Identifier, ...]
    conversation_id: ConversationKey
    """Of an e-mail: only what its own headers say, until the known threads are looked up."""
    mail: Mail | None = None
    token: str | None = None
    """The number of a case that stands in it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a customer's words name: order number, error code."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote or said, on whatever channel (R1)."""

    author: Literal["customer", "agent"]
    text: str
    judged: str
    """What is understood: of the first mail of a thread the subject too."""
    language: str | None = None
    agent_id: str | None = None
    attachments: tuple[Attachment, ...] = ()


def incoming(
    message: ChannelMessage,
    message_id: UUID,
    cause: Cause,
    at: datetime,
    policy: ClassificationPolicy,
) -> Incoming:
    """Read one channel event; e-mails of every quality are read here."""
    if isinstance(message, EmailReceived):
        return _incoming_mail(message, message_id, cause, at, policy)
    parties = message.from_ if isinstance(message, ConversationStarted | MessageReceived) else ()
    spoken_by_agent = isinstance(message, MessageReceived) and message.author == "agent"
    conversation_id = scoped(message.channel, storable(str(getattr(message, "conversation_id", ""))))
    token = case_token(message.text) if isinstance(message, MessageReceived) else None
    found = () if spoken_by_agent else identifiers_of(parties, policy.identity)
    return Incoming(message, message_id, cause, at, found, conversation_id, token=token)


def with_facts(item: Incoming, orders: re.Pattern[str]) -> Incoming:
    """Return the event with the facts that stand in the customer's words (R6).

    An order number among them identifies nobody: whoever has read it on a parcel would be taken for its owner, and
    answered in the owner's case. Only a gateway's word (a party of kind ``order``) does (R4).
    """
    words = words_of(item)
    facts = facts_of(words.judged, orders) if words.author == "customer" and words.judged else {}
    return replace(item, facts=facts) if facts else item


def words_of(item: Incoming) -> Words:
    """Return the words of a message or mail."""
    message = item.message
    if item.mail is not None:
        return _mail_words(item.mail)
    if not isinstance(message, MessageReceived):
        return Words("customer", "", "")
    text = storable(message.text)
    return Words(message.author, text, text, message.language, message.agent_id, message.attachments)


def thread_keys(mail: Mail) -> tuple[str, ...]:
    """Return the mails by which a thread is recognised: the nearest first, the mail itself last."""
    own = (mail.message_id,) if mail.message_id else ()
    return tuple(key.lower() for key in (*reversed(mail.references), *own))


def _incoming_mail(
    message: EmailReceived,
    message_id: UUID,
    cause: Cause,
    at: datetime,
    policy: ClassificationPolicy,
) -> Incoming:
    mail = read_mail(decoded(message.raw_base64), policy.mail.own_addresses)
    parties = (Party(kind="email", value=mail.from_address),) if mail.from_address else ()
    root = (mail.references[0] if mail.references else mail.message_id) or ""
    derived = f"email:{derived_id('thread', root.lower() or message_id)}"
    conversation_id = scoped("email", storable(message.conversation_id) if message.conversation_id else derived)
    token = case_token(mail.subject, mail.text, mail.full_text[:TOKEN_TEXT_MAX])
    found = identifiers_of(parties, policy.identity)
    return Incoming(message, message_id, cause, at, found, conversation_id, mail, token)


def _mail_words(mail: Mail) -> Words:
    begins = not mail.references and mail.subject is not None
    judged = f"{mail.subject}\n{mail.text}" if begins else mail.text
    files = tuple(
        Attachment(name=file.name, media_type=file.media_type, size_bytes=file.size_bytes, url=f"cid:{file.name}")
        for file in mail.attachments
    )
    return Words("customer", mail.text or mail.subject or "", judged, attachments=files)
