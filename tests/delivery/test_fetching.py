"""Does one turn take all that arrived while the turn before it lasted?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime import waiting
from services.runtime.waiting import Rest
from services.runtime.work import Outgoing, Work
from tests.delivery.conftest import Ground, marks_reach
from tests.support.tiny import a_consumer, consuming, ended, producing, record_of

MORE = 40


@dataclass(slots=True)
class Lingering:
    """A handler whose second turn lasts until a test ends it.

    After the first the consumer seeks, which drops what a client has fetched ahead.
    """

    sizes: list[int] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        self.sizes.append(len(work.received))
        if len(self.sizes) > 1:
            self.began.set()
            await self.go_on.wait()
        return ()


async def test_what_arrives_during_a_turn_is_one_turn_more(ground: Ground) -> None:
    """A client that fetches ahead would have the first of them only, and the others would wait for a third turn."""
    handler = Lingering()
    topic = ground.settings.topic_prefix + "channel.chat"
    async with (
        consuming(ground.settings, a_consumer(ground.pool, handler), "channel.chat"),
        producing(ground.settings) as producer,
    ):
        for number in range(2 + MORE):
            record = record_of(ended("a", number))
            await producer.send_and_wait(topic, record.value, record.key, partition=0, headers=list(record.headers))
            await (marks_reach(ground, 1) if number == 0 else handler.began.wait())
        handler.go_on.set()
        await marks_reach(ground, 2 + MORE)
    assert handler.sizes == [1, 1, MORE]


@dataclass(frozen=True, slots=True)
class OnceAwake(Rest):
    """A rest that lasts longer than any test from the second time on."""

    asked: list[float] = field(default_factory=list)

    def seconds(self, took: float) -> float:
        self.asked.append(took)
        return 0.0 if len(self.asked) == 1 else 3600.0


async def test_a_backlog_is_read_without_a_rest(ground: Ground) -> None:
    topic = ground.settings.topic_prefix + "channel.chat"
    async with (
        producing(ground.settings) as producer,
        AIOKafkaConsumer(bootstrap_servers=ground.settings.kafka_bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        for number in range(3):
            record = record_of(ended("a", number))
            await producer.send_and_wait(topic, record.value, record.key, partition=0, headers=list(record.headers))
        consumer.assign([TopicPartition(topic, 0)])
        rest = OnceAwake()
        waiting.install(consumer, rest)
        async with asyncio.timeout(30.0):
            polled = [await consumer.getmany(timeout_ms=500, max_records=1) for _ in range(3)]
    assert [record.offset for poll in polled for records in poll.values() for record in records] == [0, 1, 2]
    assert len(rest.asked) == 1
