"""Does everything that was committed reach Kafka, once and in order per key, when sends fail?"""

import asyncio

import pytest
from aiokafka.admin import NewTopic

from deploy.local import KafkaServer, start_kafka
from services.runtime import kafka, outbox
from services.runtime.database import Pool
from services.runtime.frames import Frame
from services.runtime.publishing import KafkaPublisher
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from tests.support.floor import (
    CASES,
    a_relay,
    make_topic,
    migrated_pool,
    outbox_ids,
    reading,
    relaying,
    settings_for,
    until,
)
from tests.support.relays import (
    EVERYTHING,
    ROUNDS,
    Forgetting,
    Refusing,
    everything,
    nothing_waits,
    say,
)


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


async def test_an_outbox_from_which_all_has_gone_is_emptied(
    settings: Settings, pool: Pool, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RETIRE_ROWS", 3)
    await say(pool, range(3))

    async def is_emptied() -> bool:
        return bool(await pool.fetchval("SELECT pg_relation_size('outbox') = 0"))

    assert not await is_emptied()
    async with relaying(a_relay(pool, publisher, settings)):
        await until(is_emptied)


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
