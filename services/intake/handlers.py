"""How does a batch of channel events and case events become contacts: load, decide, save, say?"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from contracts.channel import (
    CallbackRequested,
    ChannelMessage,
    ConversationEnded,
    ConversationStarted,
    EmailReceived,
    MessageReceived,
)
from contracts.intake import ContactMessage
from contracts.message import Message, derived_id
from contracts.policy import Policy
from contracts.router import CaseEvent
from services.intake import storage
from services.intake.domain.incoming import Incoming, thread_keys
from services.intake.domain.journal import HEARD, News, news_of
from services.intake.domain.reception import Reception
from services.intake.domain.scope import ConversationKey
from services.intake.domain.state import Book
from services.runtime.work import Handler, Outgoing, Received, Work

WANTS: frozenset[type[Message]] = frozenset(
    {ConversationStarted, MessageReceived, EmailReceived, ConversationEnded, CallbackRequested, *HEARD},
)


def handler_of(policy: Policy) -> Handler:
    """Return the handler that understands by this pack; everything is compiled now."""
    reception = Reception(policy)

    async def handle(work: Work) -> list[Outgoing]:
        events = [item.message for item in work.received if isinstance(item.message, CaseEvent)]
        if events:
            await _keep_journal(work, news_of(events))
        heard = [item for item in work.received if isinstance(item.message, ChannelMessage)]
        return await _receive(work, heard, reception) if heard else []

    return handle


async def _keep_journal(work: Work, news: News) -> None:
    await storage.apply_journal(work.connection, list(news.cases.values()))
    await storage.end_surveys(work.connection, sorted(news.settled))
    await storage.open_surveys(work.connection, list(news.surveys.values()))


async def _receive(work: Work, heard: Sequence[Received], reception: Reception) -> list[Outgoing]:
    items = [_read(received, reception) for received in heard]
    known = await _threads(work, items)
    threads = dict(known)
    items = [_threaded(item, threads) for item in items]
    book = await _load(work, items, known, reception.policy)
    before = _snapshot(book)
    said = [
        _outgoing(received, message)
        for received, item in zip(heard, items, strict=True)
        for message in reception.receive(book, item, work.now)
    ]
    await storage.save(work.connection, book, before, work.now)
    return said


def _read(received: Received, reception: Reception) -> Incoming:
    message = received.message
    if not isinstance(message, ChannelMessage):
        raise TypeError(f"{received.type} is not a channel event")
    return reception.read(message, received.message_id, received.cause, received.time)


async def _threads(work: Work, items: Sequence[Incoming]) -> dict[str, ConversationKey]:
    """Return the known conversations of the mails that these mails answer."""
    mails = [item for item in items if item.mail is not None]
    keys = sorted({key for item in mails if item.mail for key in thread_keys(item.mail)})
    return await storage.thread_of(work.connection, keys)


def _threaded(item: Incoming, threads: dict[str, ConversationKey]) -> Incoming:
    """Return a mail with the conversation of the nearest mail known; ``threads`` learns of it for those behind."""
    if item.mail is None or item.mail.automatic is not None:
        return item
    keys = thread_keys(item.mail)
    conversation_id = next((threads[key] for key in keys if key in threads), item.conversation_id)
    for key in keys:
        threads.setdefault(key, conversation_id)
    return replace(item, conversation_id=conversation_id)


async def _load(work: Work, items: Sequence[Incoming], threads: dict[str, ConversationKey], policy: Policy) -> Book:
    wanted = storage.Wanted(
        identifiers=frozenset(found for item in items for found in item.identifiers),
        conversations=frozenset(item.conversation_id for item in items),
        case_numbers=frozenset(item.token for item in items if item.token),
    )
    book = await storage.load(work.connection, wanted, policy.classification, work.now)
    book.threads = dict(threads)
    senders = sorted({item.mail.from_address for item in items if item.mail and item.mail.from_address})
    book.senders = await storage.sender_counts(work.connection, senders, work.now)
    return book


def _snapshot(book: Book) -> Book:
    """Return the book as it is now: its values are frozen, so copies of the dictionaries are enough."""
    return Book(
        people=copy(book.people),
        identifiers=copy(book.identifiers),
        conversations=copy(book.conversations),
        cases=copy(book.cases),
        threads=copy(book.threads),
        senders=copy(book.senders),
    )


def _outgoing(received: Received, message: ContactMessage) -> Outgoing:
    return Outgoing(message, derived_id(received.message_id, message.type), cause=received)
