"""Does every record have its effect exactly once, whoever joins, leaves, dies or is overtaken?"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.message import derived_id
from services.runtime import kafka
from services.runtime.work import Outgoing, Work
from tests.delivery.conftest import PARTITIONS, Ground, marks_reach
from tests.support.floor import until
from tests.support.tiny import Notes, a_consumer, consuming, effects, ended, progressed, publish, record_of

CASES = [derived_id("case", number) for number in range(16)]


async def publish_journal(ground: Ground, first: int, last: int) -> None:
    """Put versions first..last of every case onto the journal, which no inbox guards."""
    records = [
        record_of(progressed(case, number), partition=place % PARTITIONS)
        for number in range(first, last + 1)
        for place, case in enumerate(CASES)
    ]
    await publish(ground.settings, records)


async def count(ground: Ground) -> int:
    return int(await ground.pool.fetchval("SELECT count(*) FROM effects"))


async def has(ground: Ground, expected: int) -> None:
    async def enough() -> bool:
        return await count(ground) >= expected

    await until(enough)


async def assert_exact(ground: Ground, last: int) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    for key, number in await effects(ground.pool):
        seen[key].append(number)
    assert seen == {str(case): list(range(1, last + 1)) for case in CASES}


async def test_a_new_group_reads_from_the_beginning_and_kafka_learns_where_it_is(ground: Ground) -> None:
    await publish_journal(ground, 1, 20)
    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await has(ground, 320)
    await assert_exact(ground, 20)

    client = AIOKafkaAdminClient(**kafka.client_options(ground.settings))
    await client.start()
    offsets = await client.list_consumer_group_offsets(ground.settings.topic_prefix + "tiny")
    await client.close()
    assert sorted(offset.offset for offset in offsets.values()) == [80] * PARTITIONS


async def test_members_that_join_and_leave_lose_and_double_nothing(ground: Ground) -> None:
    await publish_journal(ground, 1, 50)
    first = consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events")
    second = consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events")
    third = consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events")
    async with first:
        await has(ground, 1)
        async with second:
            await publish_journal(ground, 51, 100)
            await has(ground, 1000)
            async with third:
                await publish_journal(ground, 101, 150)
                await has(ground, 2000)
        await publish_journal(ground, 151, 200)
        await has(ground, 3200)
    await assert_exact(ground, 200)


async def test_every_partition_owned_twice_has_every_effect_once(ground: Ground) -> None:
    """Two groups on one schema are the split brain: both own everything, and the fence lets one through."""
    one = consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events", group="one")
    two = consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events", group="two")
    async with one, two:
        for begin in range(1, 200, 50):
            await publish_journal(ground, begin, begin + 49)
        await has(ground, 3200)
    await assert_exact(ground, 200)


async def test_transactions_that_fail_by_chance_lose_and_double_nothing(ground: Ground) -> None:
    calls = 0

    async def handler(work: Work) -> Sequence[Outgoing]:
        nonlocal calls
        calls += 1
        said = await Notes()(work)
        if calls % 3 == 0:
            await work.connection.execute("SELECT 1 / 0")
        return said

    await publish_journal(ground, 1, 40)
    consumer = a_consumer(ground.pool, handler)
    async with consuming(ground.settings, consumer, "case.events"):
        await marks_reach(ground, 640)
    done = await effects(ground.pool)
    parked = await ground.pool.fetchval("SELECT count(*) FROM parked WHERE status = 'retry'")
    assert len(done) == len(set(done))
    assert len(done) + parked == 640


async def test_kill_9_in_the_middle_of_a_batch_leaves_no_trace(ground: Ground) -> None:
    await publish_journal(ground, 1, 30)
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.tiny_victim",
        ground.settings.postgres_dsn.get_secret_value(),
        ground.settings.kafka_bootstrap,
        ground.settings.topic_prefix,
        ground.schema,
        "15",
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    async with asyncio.timeout(20):
        assert await victim.stdout.readline() == b"hanging\n"
    before = await count(ground)
    victim.kill()
    await victim.wait()

    assert 0 < before < 480
    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await has(ground, 480)
    await assert_exact(ground, 30)


async def test_a_group_that_kafka_has_forgotten_goes_on_from_the_mark(ground: Ground) -> None:
    await publish_journal(ground, 1, 10)
    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events", group="before"):
        await has(ground, 160)
    await publish_journal(ground, 11, 20)
    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events", group="after"):
        await has(ground, 320)
    await assert_exact(ground, 20)


async def test_kafka_offsets_that_ran_ahead_skip_nothing(ground: Ground) -> None:
    """The group's offsets stand at the end, as after a restored database or a careless reset: PostgreSQL decides."""
    await publish_journal(ground, 1, 10)
    topic = ground.settings.topic_prefix + "case.events"
    options = kafka.client_options(ground.settings)
    ahead = AIOKafkaConsumer(group_id=ground.settings.topic_prefix + "tiny", enable_auto_commit=False, **options)
    await ahead.start()
    ahead.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    await ahead.commit({TopicPartition(topic, partition): 40 for partition in range(PARTITIONS)})
    await ahead.stop()

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
        await has(ground, 160)
    await assert_exact(ground, 10)


async def test_the_same_event_again_on_other_partitions_is_a_duplicate(ground: Ground) -> None:
    messages = [ended(f"c-{number}", number) for number in range(100)]
    for shift in range(3):
        await publish(
            ground.settings,
            [record_of(message, partition=(place + shift) % PARTITIONS) for place, message in enumerate(messages)],
        )
    members = [a_consumer(ground.pool, Notes()) for _ in range(2)]
    one, two = (consuming(ground.settings, member, "channel.chat") for member in members)
    async with one, two:
        await marks_reach(ground, 300)
    assert sorted(await effects(ground.pool)) == sorted((f"c-{number}", number) for number in range(100))


async def test_stopping_finishes_what_is_in_hand_and_leaves_the_group(ground: Ground) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def handler(work: Work) -> Sequence[Outgoing]:
        entered.set()
        await go_on.wait()
        return await Notes()(work)

    await publish(ground.settings, [record_of(progressed(CASES[0], 1))])
    async with asyncio.timeout(10):
        async with consuming(ground.settings, a_consumer(ground.pool, handler), "case.events") as stopping:
            await entered.wait()
            stopping.set()
            go_on.set()
        assert await count(ground) == 1
        await publish(ground.settings, [record_of(progressed(CASES[0], 2))])
        async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "case.events"):
            await has(ground, 2)
