"""What if the brokers delete records before they are read: who notices, and does the rest go on?"""

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete

from contracts.message import derived_id
from services.runtime import kafka, missed
from services.runtime.consumer import Consumer
from services.runtime.errors import TransientError
from services.runtime.missed import gone, missed_warning
from services.runtime.records import Partition
from services.runtime.subscription import Subscription
from tests.delivery.conftest import PARTITIONS, Ground
from tests.support.floor import NOW, until
from tests.support.tiny import Notes, a_consumer, consuming, effects, marks, progressed, publish, record_of

CASE = derived_id("case")
PLACE: Partition = ("case.events", 0)


async def publish_numbers(ground: Ground, first: int, last: int) -> None:
    records = [record_of(progressed(CASE, number), partition=0) for number in range(first, last + 1)]
    await publish(ground.settings, records)


async def delete_before(ground: Ground, offset: int) -> None:
    """Cut the log away, as retention does."""
    client = AIOKafkaAdminClient(**kafka.client_options(ground.settings))
    await client.start()
    topic = TopicPartition(ground.settings.topic_prefix + PLACE[0], PLACE[1])
    await client.delete_records({topic: RecordsToDelete(offset)})
    await client.close()


async def read_up_to(ground: Ground, last: int) -> None:
    async def there() -> bool:
        return (str(CASE), last) in await effects(ground.pool)

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await until(there)


async def test_what_was_deleted_before_it_was_read_is_known_and_the_rest_is_read(ground: Ground) -> None:
    await publish_numbers(ground, 1, 40)
    await read_up_to(ground, 40)
    assert missed_warning(await missed.lately(ground.pool, NOW)) is None

    await publish_numbers(ground, 41, 75)
    await delete_before(ground, 60)
    for last in (75, 76):
        await publish_numbers(ground, 76, last)
        await read_up_to(ground, last)

    assert [number for _, number in await effects(ground.pool)] == [*range(1, 41), *range(61, 77)]
    (known,) = await missed.lately(ground.pool, NOW)
    assert (known.topic, known.records) == ("case.events", 20)
    assert "20 of case.events" in str(missed_warning([known]))


async def test_what_was_deleted_is_known_though_nothing_comes_after_it(ground: Ground) -> None:
    await publish_numbers(ground, 1, 40)
    await read_up_to(ground, 40)
    await publish_numbers(ground, 41, 60)
    await delete_before(ground, 60)

    async def known() -> bool:
        return bool(await missed.lately(ground.pool, NOW))

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await until(known)
    (gone,) = await missed.lately(ground.pool, NOW)
    assert gone.records == 20


class Disturbed(Consumer):
    """A consumer that a test disturbs while it looks for what was missed."""

    def __init__(self, ground: Ground) -> None:
        like = a_consumer(ground.pool, Notes())
        super().__init__(like.processing, like.pool, like.clock, like.open_record, like.log)
        self.subscription = Subscription(ground.settings, "tiny", ("case.events",), self, like.log)


class Unanswered(Disturbed):
    """The leader of some partition is away: nobody says where its log begins."""

    async def miss(self, marks: Mapping[Partition, int], beginnings: Mapping[Partition, int]) -> None:
        raise TransientError(f"no answer about {len(marks)} of {len(beginnings)}")


class Rebalanced(Disturbed):
    """Its group is rebalanced once, with the same outcome, while it looks for what was missed."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.parts = [TopicPartition(ground.settings.topic_prefix + PLACE[0], part) for part in range(PARTITIONS)]
        self.rebalances = 1

    async def miss(self, marks: Mapping[Partition, int], beginnings: Mapping[Partition, int]) -> None:
        await super().miss(marks, beginnings)
        if self.rebalances:
            self.rebalances -= 1
            await self.subscription.on_partitions_revoked(self.parts)
            await self.subscription.on_partitions_assigned(self.parts)


async def test_what_can_be_read_is_read_though_nobody_says_what_was_deleted(ground: Ground) -> None:
    await publish_numbers(ground, 1, 1)
    await read_up_to(ground, 1)
    await publish_numbers(ground, 2, 2)

    async def there() -> bool:
        return (str(CASE), 2) in await effects(ground.pool)

    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Unanswered(ground).subscription.run(stopping))
        await until(there)
        stopping.set()


async def test_a_rebalance_in_the_middle_of_looking_leaves_no_partition_unread(ground: Ground) -> None:
    await publish_numbers(ground, 1, 1)
    await read_up_to(ground, 1)

    async def there() -> bool:
        return (str(CASE), 2) in await effects(ground.pool)

    consumer, stopping = Rebalanced(ground), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.subscription.run(stopping))
        await until(lambda: _answer(consumer.rebalances == 0))
        await publish_numbers(ground, 2, 2)
        await until(there)
        stopping.set()


async def _answer(fact: bool) -> bool:
    return fact


def test_only_what_lies_between_the_mark_and_the_beginning_is_gone() -> None:
    behind, level, unread = ("case.events", 0), ("case.events", 1), ("case.events", 2)
    marks = {behind: 5, level: 7, unread: 0, ("case.events", 3): 4}
    assert gone(marks, {behind: 9, level: 7, unread: 9, ("case.events", 3): 0}) == {behind: (5, 9), unread: (0, 9)}


async def met(ground: Ground, partition: int = PLACE[1]) -> int:
    """Let a service run until it has met a partition, and return its mark."""

    async def there() -> bool:
        return (PLACE[0], partition) in await marks(ground.pool)

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await until(there)
    return (await marks(ground.pool))[PLACE[0], partition]


async def test_what_was_deleted_is_known_though_the_partition_was_empty_when_it_was_met(ground: Ground) -> None:
    assert await met(ground) == 0
    await publish_numbers(ground, 1, 30)
    await delete_before(ground, 20)

    await read_up_to(ground, 30)

    (known,) = await missed.lately(ground.pool, NOW)
    assert (known.topic, known.records) == ("case.events", 20)


async def test_what_was_deleted_before_a_service_first_came_is_none_of_its_business(ground: Ground) -> None:
    await publish_numbers(ground, 1, 30)
    await delete_before(ground, 20)

    await read_up_to(ground, 30)

    assert await missed.lately(ground.pool, NOW) == []
    assert [number for _, number in await effects(ground.pool)] == [*range(21, 31)]


async def test_what_was_deleted_of_a_partition_that_came_later_is_known(ground: Ground) -> None:
    await met(ground)
    client = AIOKafkaAdminClient(**kafka.client_options(ground.settings))
    await client.start()
    topic = ground.settings.topic_prefix + PLACE[0]
    await client.create_partitions({topic: NewPartitions(PARTITIONS + 1)})
    await until(lambda: _has(client, topic, PARTITIONS + 1))
    await publish(ground.settings, [record_of(progressed(CASE, number), partition=PARTITIONS) for number in range(9)])
    await client.delete_records({TopicPartition(topic, PARTITIONS): RecordsToDelete(9)})
    await client.close()

    assert await met(ground, PARTITIONS) == 0

    (known,) = await missed.lately(ground.pool, NOW)
    assert known.records == 9


async def _has(client: AIOKafkaAdminClient, topic: str, partitions: int) -> bool:
    (described,) = await client.describe_topics([topic])
    return len(described["partitions"]) == partitions
