"""Does everything that was committed reach Kafka, in order per key, whatever breaks on the way?"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from aiokafka.admin import NewTopic

from deploy.local import KafkaServer, start_kafka
from services.runtime import kafka, outbox
from services.runtime.database import Pool
from services.runtime.frames import Frame
from services.runtime.leases import Leases
from services.runtime.publishing import KafkaPublisher, Published, Publisher
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from tests.support.floor import (
    CASES,
    NOW,
    Seen,
    a_relay,
    make_topic,
    migrated_pool,
    milestone,
    outbox_ids,
    reading,
    relaying,
    settings_for,
    until,
)

ROUNDS = 20
EVERYTHING = ROUNDS * len(CASES)


@dataclass(slots=True)
class Refusing:
    """Brokers that never answer."""

    asked: list[list[int]] = field(default_factory=list)

    async def publish(self, rows: Mapping[int, Iterable[Frame]], within_seconds: float) -> Published:
        del within_seconds
        self.asked.append(list(rows))
        return Published((), "away")


@dataclass(slots=True)
class Overtaken:
    """Brokers that take everything, but never before somebody has said more."""

    pool: Pool
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: set[int] = field(default_factory=set)

    async def publish(self, rows: Mapping[int, Iterable[Frame]], within_seconds: float) -> Published:
        del within_seconds
        self.asked.set()
        await say(self.pool, [max(rows)])
        self.arrived |= set(rows)
        return Published(list(rows))


@dataclass(slots=True)
class Hanging:
    """Brokers that take the bytes and never acknowledge them."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, rows: Mapping[int, Iterable[Frame]], within_seconds: float) -> Published:
        self.asked.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await asyncio.Event().wait()
        return Published((), f"{len(rows)} rows without an ack")


@dataclass(slots=True)
class Forgetting:
    """A process that is killed after the ack: it publishes and then loses what it knows of it."""

    inner: Publisher
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, rows: Mapping[int, Iterable[Frame]], within_seconds: float) -> Published:
        await self.inner.publish(rows, within_seconds)
        self.killed.set()
        await asyncio.Event().wait()
        return Published((), None)


@pytest.fixture
async def settings(postgres_dsn: str, kafka_bootstrap: str) -> Settings:
    made = settings_for(postgres_dsn, kafka_bootstrap)
    await make_topic(made, "case.commands")
    return made


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with migrated_pool(settings) as made:
        yield made


@pytest.fixture
async def publisher(settings: Settings) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(settings)
    yield made
    await made.close()


async def say(pool: Pool, numbers: Iterable[int]) -> None:
    for number in numbers:
        async with pool.acquire() as connection, connection.transaction():
            await outbox.append(connection, "caseloop/test", [milestone(case, number) for case in CASES], NOW)


def everything(seen: Seen) -> bool:
    return len(set(seen.ids())) >= EVERYTHING


async def nothing_waits(pool: Pool) -> bool:
    return not await outbox_ids(pool)


async def test_everything_arrives_once_in_order_per_key_and_the_outbox_is_empty(
    settings: Settings,
    pool: Pool,
    publisher: KafkaPublisher,
) -> None:
    async with relaying(a_relay(pool, publisher, settings)), reading(settings, "case.commands") as read_until:
        await say(pool, range(ROUNDS))
        seen = await read_until(everything)
        await until(lambda: nothing_waits(pool))

    assert len(seen.records) == EVERYTHING
    for case in CASES:
        assert seen.numbers(case) == list(range(ROUNDS))


async def test_a_failed_send_keeps_rows_and_ids_and_holds_back_what_came_later(
    settings: Settings,
    pool: Pool,
    publisher: KafkaPublisher,
) -> None:
    refusing = Refusing()
    await say(pool, range(3))
    before = await outbox_ids(pool)
    async with relaying(a_relay(pool, refusing, settings, name="broken")):
        await until(lambda: told(refusing, 2))
        assert await outbox_ids(pool) == before
    assert refusing.asked[0] == refusing.asked[1] == before

    await say(pool, range(3, ROUNDS))
    async with relaying(a_relay(pool, publisher, settings)), reading(settings, "case.commands") as read_until:
        seen = await read_until(everything)

    for case in CASES:
        assert seen.numbers(case) == list(range(ROUNDS))


async def told(refusing: Refusing, times: int) -> bool:
    return len(refusing.asked) >= times


async def test_one_partition_that_is_refused_holds_back_its_own_rows_only(
    settings: Settings,
    publisher: KafkaPublisher,
) -> None:
    narrow = NewTopic(f"{settings.topic_prefix}contacts", 1, 1, topic_configs={"max.message.bytes": "1000"})
    async with kafka.admin(settings) as client:
        await client.create_topics([narrow])
    small, large = Frame("case.commands", b"k", b"v", []), Frame("contacts", b"k", b"v" * 2000, [])

    published = await publisher.publish({1: [small], 2: [small, large], 3: [small]}, 5.0)

    assert published.problem is not None
    assert list(published.arrived) == [1, 3]
    assert list((await publisher.publish({4: [small]}, 5.0)).arrived) == [4]


async def test_a_topic_that_is_not_there_keeps_all_rows(settings: Settings, publisher: KafkaPublisher) -> None:
    rows = {1: [Frame("case.commands", b"k", b"v", []), Frame("contacts", b"k", b"v", [])]}

    published = await publisher.publish(rows, 1.0)
    assert published.problem is not None
    assert list(published.arrived) == []

    await make_topic(settings, "contacts")
    assert list((await publisher.publish(rows, 5.0)).arrived) == [1]


async def test_brokers_that_hang_do_not_hold_up_the_stop(settings: Settings, pool: Pool) -> None:
    hanging = Hanging()
    relay = a_relay(pool, hanging, settings)
    relay.leases, relay.publish_seconds = Leases("patient", 600.0), 1.0
    stopping = asyncio.Event()
    await say(pool, range(1))
    async with asyncio.timeout(2.0), asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        await hanging.asked.wait()
        stopping.set()

    assert len(await outbox_ids(pool)) > 0


async def test_what_another_replica_goes_on_saying_does_not_hold_up_the_stop(settings: Settings, pool: Pool) -> None:
    overtaken = Overtaken(pool)
    await say(pool, range(1))
    async with asyncio.timeout(4.0), relaying(a_relay(pool, overtaken, settings)):
        await overtaken.asked.wait()

    assert not overtaken.arrived & set(await outbox_ids(pool))


async def test_a_kill_between_ack_and_delete_repeats_messages_and_reorders_none(
    settings: Settings,
    pool: Pool,
    publisher: KafkaPublisher,
) -> None:
    await say(pool, range(ROUNDS))
    forgetting = Forgetting(publisher)
    victim = asyncio.ensure_future(a_relay(pool, forgetting, settings, name="victim").run(asyncio.Event()))
    await forgetting.killed.wait()
    victim.cancel()
    await asyncio.wait([victim])

    async with relaying(a_relay(pool, publisher, settings)), reading(settings, "case.commands") as read_until:
        await until(lambda: nothing_waits(pool))
        seen = await read_until(lambda seen: len(seen.records) > EVERYTHING and everything(seen))

    for case in CASES:
        assert seen.first_appearances(case) == list(range(ROUNDS))


async def test_two_relays_share_the_buckets_and_never_own_the_same_one(settings: Settings, pool: Pool) -> None:
    one, two = Leases("one", 5.0), Leases("two", 5.0)
    async with pool.acquire() as first, pool.acquire() as second:
        await one.prepare(first)
        assert len(await one.renew(first)) == outbox.BUCKETS
        assert await two.renew(second) == frozenset()

        for _ in range(3):
            mine, yours = await asyncio.gather(one.renew(first), two.renew(second))
            assert not mine & yours

        assert len(mine) == len(yours) == outbox.BUCKETS // 2
        await one.leave(first)
        assert len(await two.renew(second)) == outbox.BUCKETS


async def test_two_relays_at_work_keep_the_order(settings: Settings, pool: Pool, publisher: KafkaPublisher) -> None:
    other = KafkaPublisher(settings)
    async with reading(settings, "case.commands") as read_until, relaying(a_relay(pool, publisher, settings)):
        await say(pool, range(5))
        async with relaying(a_relay(pool, other, settings, name="two")):
            await say(pool, range(5, 12))
        await say(pool, range(12, ROUNDS))
        seen = await read_until(everything)
    await other.close()

    for case in CASES:
        assert seen.first_appearances(case) == list(range(ROUNDS))


async def test_the_buckets_of_a_dead_relay_are_taken_over_when_its_lease_ends_and_not_before(
    settings: Settings,
    pool: Pool,
    publisher: KafkaPublisher,
) -> None:
    dead = Leases("dead", 1.5)
    async with pool.acquire() as connection:
        await dead.prepare(connection)
        await dead.renew(connection)
    await say(pool, range(ROUNDS))
    waiting = await outbox_ids(pool)

    heir = a_relay(pool, publisher, settings, name="heir")
    async with pool.acquire() as connection:
        assert await heir.leases.renew(connection) == frozenset()
        assert await heir.take(connection, ()) == {}
    assert await outbox_ids(pool) == waiting

    async with relaying(heir), reading(settings, "case.commands") as read_until:
        seen = await read_until(everything)
    assert len(seen.records) == EVERYTHING


async def test_a_relay_that_lost_its_lease_reads_nothing(settings: Settings, pool: Pool) -> None:
    late = a_relay(pool, Refusing(), settings, name="late")
    await say(pool, range(1))
    async with pool.acquire() as connection:
        await late.leases.prepare(connection)
        await late.leases.renew(connection)
        assert await late.take(connection, ()) != {}

        await connection.execute("UPDATE outbox_leases SET lease_until = clock_timestamp() - interval '1 ms'")

        assert await late.take(connection, ()) == {}


async def test_kafka_away_lets_the_outbox_grow_and_drains_it_afterwards(
    postgres_dsn: str,
    private_kafka: KafkaServer,
) -> None:
    settings = settings_for(postgres_dsn, private_kafka.bootstrap, publish_timeout_seconds=1.0)
    publisher = KafkaPublisher(settings)
    await make_topic(settings, "case.commands")
    async with migrated_pool(settings) as pool, relaying(a_relay(pool, publisher, settings)) as relay:
        await say(pool, range(2))
        await until(lambda: nothing_waits(pool))
        private_kafka.kill()
        await say(pool, range(2, ROUNDS))
        await until(lambda: is_failing(relay))
        assert len(await outbox_ids(pool)) > 0

        with start_kafka(private_kafka.data_dir, port=private_kafka.port):
            async with reading(settings, "case.commands") as read_until:
                seen = await read_until(everything)
            await until(lambda: nothing_waits(pool))
            await publisher.close()

    for case in CASES:
        assert seen.first_appearances(case) == list(range(ROUNDS))


async def is_failing(relay: Relay) -> bool:
    return relay.failing
