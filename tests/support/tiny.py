"""What is the smallest service that shows what the runtime does: a handler that writes down what it was given?"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from aiokafka import AIOKafkaProducer

from contracts.channel import ConversationEnded
from contracts.message import Message, derived_id
from contracts.router import CaseProgressed
from services.runtime import envelope, kafka
from services.runtime.consumer import Consumer
from services.runtime.database import Pool
from services.runtime.logs import Log
from services.runtime.parking import Backoff
from services.runtime.processing import Processing
from services.runtime.records import Record, Slice
from services.runtime.settings import Settings
from services.runtime.subscription import Subscription
from services.runtime.work import Handler, Outgoing, TimerFired, Work
from tests.support.examples import example
from tests.support.floor import NOW

WANTS = (ConversationEnded, CaseProgressed)
CHAT = ("channel.chat", 0)
CASES = [derived_id("case", number) for number in range(8)]
EFFECTS = """
CREATE TABLE effects (
    place bigint GENERATED ALWAYS AS IDENTITY, message_id uuid NOT NULL, key text NOT NULL, number bigint NOT NULL
)
"""
WRITE = "INSERT INTO effects (message_id, key, number) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])"
Header = tuple[str, bytes | None]


@dataclass(slots=True)
class SettableClock:
    """A clock that a test moves."""

    moment: datetime = NOW

    def now(self) -> datetime:
        """Return the moment that was set."""
        return self.moment

    def pass_by(self, seconds: float) -> None:
        """Move on."""
        self.moment += timedelta(seconds=seconds)


@dataclass(slots=True)
class Notes:
    """A handler that writes an effect per message, and fails where a test wants it to."""

    failures: dict[int, Callable[[], Exception]] = field(default_factory=dict)
    calls: int = 0
    said: Sequence[Outgoing] = ()

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        """Write the effects of this batch."""
        self.calls += 1
        numbers = [number_of(received.message) for received in work.received]
        ids = [received.message_id for received in work.received]
        await work.connection.execute(WRITE, ids, [received.key for received in work.received], numbers)
        for number in numbers:
            if number in self.failures:
                failure = self.failures[number]()
                raise failure
        return self.said


def number_of(message: Message | TimerFired) -> int:
    """Return the number that a test put into a message."""
    match message:
        case ConversationEnded():
            return message.duration_seconds
        case CaseProgressed():
            return message.version
        case TimerFired():
            return int(message.payload["number"] or 0)
    raise AssertionError(type(message))


def ended(conversation: str, number: int) -> ConversationEnded:
    """Return a message of the edge, where the inbox stands (topic ``channel.chat``)."""
    return ConversationEnded(channel="chat", conversation_id=conversation, ended_by="customer", duration_seconds=number)


PROGRESSED = example(CaseProgressed)


def progressed(case: UUID, number: int) -> Message:
    """Return a message of the journal, which no inbox guards (topic ``case.events``)."""
    return PROGRESSED.model_copy(update={"case_id": case, "version": number})


def headers_of(message: Message, **changed: bytes | None) -> list[Header]:
    """Return good headers; ``name=bytes`` changes one (``-`` is written ``_``), ``name=None`` leaves it out."""
    identity = derived_id(message.key(), number_of(message))
    sealed = dict(envelope.seal(message, message_id=identity, source="gateway/test", time=NOW, traceparent=None))
    names = {name.replace("-", "_"): name for name in sealed}
    merged: dict[str, bytes | None] = {**sealed, **{names.get(name, name): value for name, value in changed.items()}}
    return [(name, value) for name, value in merged.items() if value is not None]


def record_of(
    message: Message,
    offset: int = 0,
    *,
    partition: int = 0,
    value: bytes | None = None,
    headers: list[Header] | None = None,
) -> Record:
    """Return the record of a message as the broker would give it."""
    return Record(
        message.topic_name(),
        partition,
        offset,
        int(NOW.timestamp() * 1000),
        message.key().encode(),
        message.value() if value is None else value,
        headers_of(message) if headers is None else headers,
    )


def slice_of(messages: Sequence[Message], *, partition: int = 0, first: int = 0) -> Slice:
    """Return a slice with these messages at consecutive offsets."""
    records = [record_of(message, first + place, partition=partition) for place, message in enumerate(messages)]
    return Slice(messages[0].topic_name(), partition, records)


def a_processing(pool: Pool, handler: Handler, clock: SettableClock | None = None, **others: object) -> Processing:
    """Return the runtime's way of settling around this handler."""
    given = {"backoff": Backoff(attempts_max=3, first_seconds=1.0, max_seconds=60.0)} | others
    return Processing(pool, clock or SettableClock(), "caseloop/tiny", handler, Log("tiny", "critical"), **given)  # type: ignore[arg-type]  # a test's own choice


def a_consumer(pool: Pool, handler: Handler, clock: SettableClock | None = None, **others: object) -> Consumer:
    """Return a consumer around this handler."""
    processing = a_processing(pool, handler, clock, **others)
    return Consumer(processing, pool, processing.clock, envelope.opener(WANTS), processing.log)


async def effects(pool: Pool) -> list[tuple[str, int]]:
    """Return (key, number) of every effect in the order in which they were made."""
    return [(row["key"], row["number"]) for row in await pool.fetch("SELECT key, number FROM effects ORDER BY place")]


async def lot(pool: Pool) -> list[tuple[str, str, int]]:
    """Return (status, reason, offset) of everything in the parking lot, oldest first."""
    rows = await pool.fetch("SELECT status, reason, record_offset FROM parked ORDER BY parked_id")
    return [(row["status"], row["reason"], row["record_offset"]) for row in rows]


@asynccontextmanager
async def consuming(
    settings: Settings,
    consumer: Consumer,
    *topics: str,
    group: str = "tiny",
) -> AsyncIterator[asyncio.Event]:
    """Let a member of the group read while the test looks; setting the event stops it in good order."""
    stopping = asyncio.Event()
    subscription = Subscription(settings, group, topics, consumer, consumer.log)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(subscription.run(stopping))
        try:
            yield stopping
        finally:
            stopping.set()


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer that sends whatever it is told."""
    options = kafka.client_options(settings)
    async with AIOKafkaProducer(**options, acks="all", max_request_size=4_194_304) as producer:
        yield producer


async def publish(settings: Settings, records: Sequence[Record]) -> None:
    """Put records onto their topics and partitions as they are."""
    async with producing(settings) as producer:
        futures = [
            await producer.send(
                settings.topic_prefix + record.topic,
                record.value,
                record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
            for record in records
        ]
        for future in futures:
            await future


async def marks(pool: Pool) -> dict[tuple[str, int], int]:
    """Return the stored offset of each partition."""
    rows = await pool.fetch("SELECT topic, partition, next_offset FROM koff")
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def adopted(consumer: Consumer, *slices: Slice) -> Consumer:
    """Return the consumer once it knows where these partitions stand."""
    await consumer.adopt([each.place for each in slices])
    return consumer
