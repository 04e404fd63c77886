"""Do relays that share the buckets, die or stop keep out of each other's way?"""

import asyncio

from services.runtime import outbox
from services.runtime.database import Pool
from services.runtime.leases import Leases
from services.runtime.publishing import KafkaPublisher
from services.runtime.settings import Settings
from tests.support.floor import (
    CASES,
    a_relay,
    outbox_ids,
    reading,
    relaying,
)
from tests.support.relays import (
    EVERYTHING,
    ROUNDS,
    Hanging,
    Overtaken,
    Refusing,
    everything,
    say,
)


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
