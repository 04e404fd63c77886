"""Which conversation and contact does a channel event belong to, and who leads it (R1, R4, R8)?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from contracts.channel import ConversationEnded, ConversationStarted
from contracts.message import derived_id
from contracts.policy import Policy
from contracts.policy.classification import Identity, Threading
from contracts.values import Contact
from services.intake.domain.identity import is_anonymous, resolve
from services.intake.domain.incoming import Incoming, Words
from services.intake.domain.language import language_of
from services.intake.domain.normalization import storable
from services.intake.domain.people import note
from services.intake.domain.scope import gateway_id
from services.intake.domain.state import Book, Conversation

NAME_MAX = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a channel event arrived."""

    contact: Contact
    customer: UUID
    language: str
    known: bool
    """The contact had begun before."""
    continuing: bool
    """The conversation was not silent for long before."""


def enter(book: Book, item: Incoming, words: Words, policy: Policy) -> Entry:
    """Return the contact and its customer; conversation and customer are written into the book."""
    rules = policy.classification
    before = book.conversations.get(item.conversation_id)
    customer = _customer(book, item, before, rules.identity)
    known = before is not None and _goes_on(before, item, rules.threading)
    language = _language(book, item, words, before, customer, policy.languages)
    note(book, customer, name=_name(item), language=language, time_zone=getattr(item.message, "time_zone", None))
    continuing = _continuing(before, item, rules.threading)
    goes_on = continuing and before is not None and not before.ended
    conversation = _conversation(item, before, customer, language, known=known, goes_on=goes_on)
    book.conversations[item.conversation_id] = conversation
    if item.mail is not None:
        _remember_thread(book, item)
    return Entry(_contact(item, conversation), customer, language, known, continuing)


def _customer(book: Book, item: Incoming, before: Conversation | None, policy: Identity) -> UUID:
    """Return who speaks; somebody else may answer an e-mail of a thread without becoming the same person."""
    current = book.root_of(before.customer_id) if before else None
    found = item.identifiers
    if not found and current is not None and not is_anonymous(book, current):
        return current
    another = item.mail is not None and current is not None and not is_anonymous(book, current)
    return resolve(book, found, None if another and found else current, item.message_id, item.at, policy)


def _goes_on(before: Conversation, item: Incoming, policy: Threading) -> bool:
    if item.message.channel in policy.contact_channels and not isinstance(item.message, ConversationEnded):
        return False
    return not before.ended and _continuing(before, item, policy)


def _continuing(before: Conversation | None, item: Incoming, policy: Threading) -> bool:
    if before is None or item.mail is not None:
        return before is not None
    return item.at - before.last_at <= timedelta(seconds=policy.session_gap_seconds)


def _conversation(
    item: Incoming,
    before: Conversation | None,
    customer: UUID,
    language: str,
    *,
    known: bool,
    goes_on: bool,
) -> Conversation:
    """Return the conversation after this event.

    Where every message is a contact of its own (SMS, e-mail) a choice that was offered still waits while the
    conversation goes on: else no answer would be understood, and two machines would prompt each other for ever (R3).
    """
    message, mail = item.message, item.mail
    started = message if isinstance(message, ConversationStarted) else None
    base = before if before is not None and known else _begun(item, before, customer, goes_on=goes_on)
    to = started.to if started else (mail.to if mail else None)
    return replace(
        base,
        customer_id=base.customer_id if before and mail else customer,
        last_at=max(base.last_at, item.at),
        to=_kept(to) or base.to,
        language=language,
        agent_id=_kept(started.agent_id if started else None) or base.agent_id,
        subject=(mail.subject if mail else None) or base.subject,
    )


def _begun(item: Incoming, before: Conversation | None, customer: UUID, *, goes_on: bool) -> Conversation:
    """Return the conversation with a contact that begins."""
    contact_id = derived_id("contact", item.message_id)
    if before is None:
        return Conversation(item.conversation_id, item.message.channel, customer, contact_id, item.at, item.at)
    return replace(
        before,
        contact_id=contact_id,
        ended=False,
        greeted=False,
        prompted_at=before.prompted_at if goes_on else None,
        started_at=item.at,
        agent_id=None,
    )


def _contact(item: Incoming, conversation: Conversation) -> Contact:
    mail = item.mail
    return Contact(
        contact_id=conversation.contact_id,
        conversation_id=gateway_id(conversation.conversation_id),
        channel=conversation.channel,
        received_at=item.at,
        to=conversation.to,
        in_reply_to=f"<{mail.message_id}>" if mail and mail.message_id else None,
        subject=mail.subject if mail else None,
    )


def _remember_thread(book: Book, item: Incoming) -> None:
    mail = item.mail
    for key in (*(mail.references if mail else ()), *((mail.message_id,) if mail and mail.message_id else ())):
        book.threads.setdefault(storable(key.lower()), item.conversation_id)


def _language(
    book: Book,
    item: Incoming,
    words: Words,
    before: Conversation | None,
    customer: UUID,
    shipped: Sequence[str],
) -> str:
    """Return the customer's language; what an agent writes says nothing about it (Q3)."""
    known = (before.language if before else None) or book.people[customer].language
    if words.author == "agent":
        return known or shipped[0]
    return words.language or getattr(item.message, "language", None) or language_of(words.judged, shipped, known)


def _name(item: Incoming) -> str | None:
    name = item.mail.from_name if item.mail else getattr(item.message, "display_name", None)
    return _kept(name)


def _kept(text: str | None) -> str | None:
    return storable(text)[:NAME_MAX] if text else None
