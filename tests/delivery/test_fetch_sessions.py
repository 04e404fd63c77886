"""Is a broker told only what has changed since the last fetch, and is nothing lost with the session?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest

from services.runtime import fetch_sessions
from tests.delivery.conftest import PARTITIONS, Ground
from tests.support.floor import DEADLINE_SECONDS
from tests.support.tiny import producing

TOPIC = "channel.chat"


@dataclass(slots=True)
class Wire:
    """Sends with a client, and notes which partitions each fetch named."""

    client: Any
    named: list[set[int]] = field(default_factory=list)
    forgotten: list[Any] = field(default_factory=list)
    lose_next: bool = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401, D105 - whatever the client knows
        return getattr(self.client, name)

    async def send(self, node: int, request: Any, **options: Any) -> Any:  # noqa: ANN401 - handed through
        if isinstance(request, FetchRequest):
            built = request.build(FetchRequest._CLASSES[-1])
            self.named.append({partition for _, places in built.topics for partition, *_ in places})
            self.forgotten.extend(built.forgotten_topics_data)
        answer = await self.client.send(node, request, **options)
        if self.lose_next and isinstance(request, FetchRequest):
            self.lose_next = False
            raise KafkaConnectionError
        return answer


@dataclass(slots=True)
class Reader:
    """A consumer in sessions and its wire, and a hand that writes."""

    consumer: AIOKafkaConsumer
    wire: Wire
    write: Callable[[int], Awaitable[object]]

    @property
    def session(self) -> Any:  # noqa: ANN401 - private to the module
        (session,) = self.consumer._fetcher._client.sessions.values()
        return session

    async def read(self, count: int = 1) -> list[int]:
        """Return of which partitions the next records are."""
        found: list[int] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                fetched = await self.consumer.getmany(timeout_ms=1000)
                found += [place.partition for place, records in fetched.items() for _ in records]
        return found


@pytest.fixture
async def reader(ground: Ground) -> AsyncIterator[Reader]:
    async with reading(ground) as found:
        yield found


@asynccontextmanager
async def reading(ground: Ground) -> AsyncIterator[Reader]:
    topic = ground.settings.topic_prefix + TOPIC
    consumer = AIOKafkaConsumer(bootstrap_servers=ground.settings.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        wire = Wire(consumer._fetcher._client)
        consumer._fetcher._client = wire
        fetch_sessions.install(consumer)
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        async with producing(ground.settings) as producer:

            async def write(partition: int) -> None:
                await producer.send_and_wait(topic, b"{}", partition=partition)

            yield Reader(consumer, wire, write)
    finally:
        await consumer.stop()


async def test_a_fetch_names_only_the_partitions_of_which_something_was_read(reader: Reader) -> None:
    for partition in (0, 1, 2):
        await reader.write(partition)
        assert await reader.read() == [partition]
    whole = set(range(PARTITIONS))
    assert reader.wire.named[0] == whole
    assert all(len(named) <= 1 for named in reader.wire.named[1:])


async def test_a_session_that_the_broker_has_forgotten_is_begun_anew(reader: Reader) -> None:
    await reader.write(0)
    assert await reader.read() == [0]
    first = reader.session.id
    reader.session.id += 1
    await reader.write(1)
    await reader.write(2)
    assert sorted(await reader.read(2)) == [1, 2]
    assert reader.session.id not in {first, first + 1}
    assert set(range(PARTITIONS)) in reader.wire.named[1:]


async def test_an_answer_that_was_lost_is_asked_for_again(reader: Reader) -> None:
    await reader.write(0)
    assert await reader.read() == [0]
    reader.wire.lose_next = True
    await reader.write(1)
    assert await reader.read() == [1]
    assert reader.wire.named.count(set(range(PARTITIONS))) > 1


async def test_a_record_that_was_read_and_not_wanted_comes_again(reader: Reader) -> None:
    await reader.write(0)
    assert await reader.read() == [0]
    (place,) = [each for each in reader.consumer.assignment() if each.partition == 0]
    reader.consumer.seek(place, 0)
    assert await reader.read() == [0]


async def test_a_partition_that_is_no_longer_ours_is_no_longer_asked_for(reader: Reader) -> None:
    await reader.write(0)
    assert await reader.read() == [0]
    places = sorted(reader.consumer.assignment())
    reader.consumer.pause(places[3])
    await reader.write(3)
    await reader.write(1)
    assert await reader.read() == [1]
    reader.consumer.resume(places[3])
    assert await reader.read() == [3]
    assert [places[3].topic, [3]] in [list(each) for each in reader.wire.forgotten]
