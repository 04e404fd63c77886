"""Does it go on without a loss when one of three brokers is killed?"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from services.runtime.publishing import KafkaPublisher
from tests.support.cluster import Cluster, three_brokers
from tests.support.floor import CASES, Seen, a_relay, make_topic, migrated_pool, reading, relaying, settings_for, until
from tests.support.relays import ROUNDS, everything, nothing_waits, say


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("brokers")
    with three_brokers(folder) as made:
        yield made


async def test_one_broker_killed_loses_nothing_and_traffic_goes_on(cluster: Cluster, postgres_dsn: str) -> None:
    """Each broker leads a third of the partitions: whichever dies, others take over, in order per key."""
    settings = settings_for(postgres_dsn, cluster.bootstrap, topic_replication=3, publish_timeout_seconds=3.0)
    await make_topic(settings, "case.commands")
    publisher = KafkaPublisher(settings)
    async with (
        migrated_pool(settings) as pool,
        reading(settings, "case.commands", seconds=60) as read_until,
        relaying(a_relay(pool, publisher, settings)),
    ):
        await say(pool, range(5))
        await read_until(_all_of(5))
        for number, rounds in ((1, range(5, 10)), (2, range(10, 15))):
            await asyncio.to_thread(cluster.kill, number)
            await say(pool, rounds)
            await read_until(_all_of(rounds.stop))
            await asyncio.to_thread(cluster.start, number)
            await _in_sync(settings.kafka_bootstrap, settings.topic_prefix + "case.commands")
        await say(pool, range(15, ROUNDS))
        seen = await read_until(everything)
        await until(lambda: nothing_waits(pool))
    await publisher.close()

    for case in CASES:
        assert seen.first_appearances(case) == list(range(ROUNDS))


async def test_a_partition_without_a_leader_holds_up_only_itself(cluster: Cluster, postgres_dsn: str) -> None:
    """Each partition has one replica: when its broker dies nobody takes over, until it is there again."""
    settings = settings_for(postgres_dsn, cluster.bootstrap, topic_replication=1, publish_timeout_seconds=3.0)
    await make_topic(settings, "case.commands")
    publisher = KafkaPublisher(settings)
    async with (
        migrated_pool(settings) as pool,
        reading(settings, "case.commands", seconds=60) as read_until,
        relaying(a_relay(pool, publisher, settings)) as relay,
    ):
        relay.rows_max = 4
        await say(pool, range(5))
        await read_until(_all_of(5))
        await asyncio.to_thread(cluster.kill, 3)
        await say(pool, range(5, ROUNDS))
        seen = await read_until(_done_by(2 * len(CASES) // 5))
        assert relay.warning()
        await asyncio.to_thread(cluster.start, 3)
        seen = await read_until(everything)
        await until(lambda: nothing_waits(pool))
    await publisher.close()

    for case in CASES:
        assert seen.first_appearances(case) == list(range(ROUNDS))


def _done_by(cases: int) -> Callable[[Seen], bool]:
    """Return whether everything has arrived about so many cases."""
    return lambda seen: sum(len(set(seen.numbers(case))) == ROUNDS for case in CASES) >= cases


def _all_of(rounds: int) -> Callable[[Seen], bool]:
    """Return whether so many rounds have arrived whole."""
    return lambda seen: len(set(seen.ids())) >= rounds * len(CASES)


async def _in_sync(bootstrap: str, topic: str) -> None:
    """Wait until every partition has all its replicas again: the next death must not be the second."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while True:
                await consumer._client.force_metadata_update()
                partitions = consumer._client.cluster._partitions[topic].values()
                if all(len(partition.isr) == len(partition.replicas) for partition in partitions):
                    return
    finally:
        await consumer.stop()
