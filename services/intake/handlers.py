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
from services.intake.domain.journal import news_of
from services.intake.domain.reading import READS, Heard, SurveyAnswered, SurveySent, heard
from services.intake.domain.reception import Reception
from services.intake.domain.scope import ConversationKey
from services.intake.domain.state import Book
from services.runtime.work import Handler, Outgoing, Received, Work

WANTS: frozenset[type[Message]] = frozenset(
    {ConversationStarted, MessageReceived, EmailReceived, ConversationEnded, CallbackRequested, *READS},
)


def handler_of(policy: Policy) -> Handler:
    """Return the handler that understands by this pack; everything is compiled now."""
    reception = Reception(policy)

    async def handle(work: Work) -> list[Outgoing]:
        events = [(item, heard(item.message)) for item in work.received if isinstance(item.message, Heard | CaseEvent)]
        if events:
            await _keep_journal(work, events)
        spoken = [item for item in work.received if isinstance(item.message, ChannelMessage)]
        return await _receive(work, spoken, reception) if spoken else []

    return handle


async def _keep_journal(work: Work, events: Sequence[tuple[Received, Heard]]) -> None:
    news = news_of(event for _, event in events)
    changed = await storage.apply_journal(work.connection, list(news.cases.values()))
    for received, event in events:
        if event.case_id not in changed and not isinstance(event, SurveySent | SurveyAnswered):
            work.without_effect(received)
    await storage.end_surveys(work.connection, sorted(news.settled))
    await storage.open_surveys(work.connection, list(news.surveys.values()))


async def _receive(work: Work, spoken: Sequence[Received], reception: Reception) -> list[Outgoing]:
    book = Book()
    items = await _threaded(work, book, [_read(received, reception) for received in spoken])
    await _load(work, book, items, reception.policy)
    before = _snapshot(book)
    said = [
        _outgoing(received, message)
        for received, item in zip(spoken, items, strict=True)
        for message in reception.receive(book, item, work.now)
    ]
    await storage.save(work.connection, book, before, work.now)
    return said


def _read(received: Received, reception: Reception) -> Incoming:
    message = received.message
    if not isinstance(message, ChannelMessage):
        raise TypeError(f"{received.type} is not a channel event")
    return reception.read(message, received.message_id, received.cause, received.time)


async def _threaded(work: Work, book: Book, items: list[Incoming]) -> list[Incoming]:
    """Return the events, e-mails with the conversation they belong to; nothing is asked where there is no e-mail."""
    mails = [item.mail for item in items if item.mail is not None]
    if not mails:
        return items
    keys = sorted({key for mail in mails for key in thread_keys(mail)})
    senders = sorted({mail.from_address for mail in mails if mail.from_address})
    await storage.load_mail(work.connection, book, keys, senders, work.now)
    threads = dict(book.threads)
    return [_in_thread(item, threads) for item in items]


def _in_thread(item: Incoming, threads: dict[str, ConversationKey]) -> Incoming:
    """Return a mail with the conversation of the nearest mail known; ``threads`` learns of it for those behind."""
    if item.mail is None or item.mail.automatic is not None:
        return item
    keys = thread_keys(item.mail)
    conversation_id = next((threads[key] for key in keys if key in threads), item.conversation_id)
    for key in keys:
        threads.setdefault(key, conversation_id)
    return replace(item, conversation_id=conversation_id)


async def _load(work: Work, book: Book, items: Sequence[Incoming], policy: Policy) -> None:
    wanted = storage.Wanted(
        identifiers=frozenset(found for item in items for found in item.identifiers),
        conversations=frozenset(item.conversation_id for item in items),
        case_numbers=frozenset(item.token for item in items if item.token),
    )
    await storage.load(work.connection, book, wanted, policy.classification, work.now)


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
