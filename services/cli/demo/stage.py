"""How does a play speak to a running system, and how does it see what happens?

The stage is an outsider like any other: it publishes as a gateway would and reads public topics.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import ValidationError

from contracts.message import Message, derived_id
from contracts.registry import MESSAGES
from contracts.topics import TOPICS
from services.runtime import envelope, kafka
from services.runtime.clock import SystemClock
from services.runtime.settings import Settings

SOURCE = "demo/gateway"
WATCHED = ("contacts", "case.events", "followups", "notifications", "channel.outbound")
Kind = TypeVar("Kind", bound=Message)


class MissingError(Exception):
    """What a scenario expected did not happen in time."""


@dataclass(slots=True)
class Stage:
    """Publishes events and remembers every message that was said since the curtain rose."""

    settings: Settings
    run: str
    """Makes ids of this performance its own, so that the demo can be played again and again."""
    seen: list[Message] = field(default_factory=list)
    listeners: list[Callable[[Message], None]] = field(default_factory=list)
    _producer: AIOKafkaProducer | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _sent: int = 0

    def now(self) -> datetime:
        """Return the present moment."""
        return SystemClock().now()

    def soon(self, seconds: float) -> datetime:
        """Return a moment shortly after now, in whole milliseconds."""
        moment = self.now() + timedelta(seconds=seconds)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def next_id(self) -> str:
        """Return an id of this performance that was not given before."""
        self._sent += 1
        return f"{self.run}-{self._sent}"

    async def publish(self, message: Message, event_id: str | None = None) -> str:
        """Publish one event and return its id; give the id of an earlier one to send the same event again."""
        assert self._producer is not None  # noqa: S101 - open_stage is the only door
        event_id = event_id or self.next_id()
        identity = derived_id("demo", event_id)
        headers = envelope.seal(message, message_id=identity, source=SOURCE, time=self.now(), traceparent=None)
        topic = self.settings.topic_prefix + message.topic_name()
        await self._producer.send_and_wait(topic, message.value(), message.key().encode() or None, headers=headers)
        return event_id

    def matching(self, kind: type[Kind], where: Callable[[Kind], bool]) -> Iterator[Kind]:
        """Yield what was seen of this kind, oldest first."""
        return (message for message in self.seen if isinstance(message, kind) and where(message))

    async def until(self, kind: type[Kind], where: Callable[[Kind], bool], seconds: float, count: int = 1) -> Kind:
        """Return the ``count``-th message of this kind that fits, as soon as it is there; else ``MissingError``."""
        found: list[Kind] = []

        def is_there() -> bool:
            found[:] = self.matching(kind, where)
            return len(found) >= count

        async with self._changed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(is_there)
            except TimeoutError:
                raise MissingError(f"no {kind.type} within {seconds:.0f} s") from None
        return found[count - 1]

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        """Remember everything that is said; runs until cancelled."""
        while True:
            polled = await consumer.getmany(timeout_ms=50)
            messages = [message for records in polled.values() for record in records if (message := _read(record))]
            if not messages:
                continue
            async with self._changed:
                self.seen.extend(messages)
                self._changed.notify_all()
            for message in messages:
                for listener in self.listeners:
                    listener(message)


def _read(record: object) -> Message | None:
    headers = dict(getattr(record, "headers", ()))
    kind = MESSAGES.get(headers.get("ce_type", b"").decode("utf-8", "replace"))
    value = getattr(record, "value", None)
    if kind is None or value is None:
        return None
    with contextlib.suppress(ValidationError):
        return kind.read(value)
    return None


@asynccontextmanager
async def open_stage(settings: Settings, run: str) -> AsyncIterator[Stage]:
    """Give a stage that follows the public topics from now on."""
    stage = Stage(settings, run)
    producer = kafka.producer(settings)
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), fetch_max_wait_ms=100)
    try:
        await producer.start()
        await consumer.start()
        stage._producer = producer  # noqa: SLF001 - the one place that opens it
        async with asyncio.TaskGroup() as group:
            await _seek_to_now(consumer, settings)
            following = group.create_task(stage.follow(consumer), name="follow")
            yield stage
            following.cancel()
    finally:
        await consumer.stop()
        await producer.stop()


async def _seek_to_now(consumer: AIOKafkaConsumer, settings: Settings) -> None:
    async with kafka.admin(settings) as admin:
        names = [settings.topic_prefix + name for name in WATCHED if name in TOPICS]
        described = await admin.describe_topics(names)
    parts = [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]
    consumer.assign(parts)
    await consumer.seek_to_end(*parts)
    for part in parts:
        await consumer.position(part)
