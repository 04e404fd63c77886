"""Does each thing that goes wrong have its ending on a real topic, byte for byte, with its neighbours untouched?"""

import asyncio
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from contracts.message import derived_id
from services.runtime import parking_lot
from services.runtime.database import open_pool
from services.runtime.errors import StoppedError
from services.runtime.logs import Log
from services.runtime.records import Record
from services.runtime.retrier import retry_due
from services.runtime.settings import Settings
from services.runtime.subscription import Subscription
from services.runtime.work import Outgoing, Work
from tests.delivery.conftest import Ground, marks_reach
from tests.support.crafted import crafted
from tests.support.floor import NOW, until
from tests.support.proxy import door_to
from tests.support.tiny import (
    Notes,
    SettableClock,
    a_consumer,
    consuming,
    effects,
    ended,
    lot,
    progressed,
    publish,
    record_of,
)

CASE = derived_id("case")
CRAFTED = crafted(NOW)


class Listening(io.StringIO):
    """A log that a test waits for."""

    async def heard(self, lines: int) -> None:
        """Wait for so many lines."""

        async def enough() -> bool:
            return self.getvalue().count("\n") >= lines

        await until(enough)


@pytest.mark.parametrize("reason", list(CRAFTED))
async def test_each_reason_code_is_parked_byte_for_byte(ground: Ground, reason: str) -> None:
    crafted = CRAFTED[reason]
    records: list[Record] = [record_of(ended("good", 0))]
    for number, record in enumerate(crafted, 1):
        records += [record, record_of(ended("good", number))]
    await publish(ground.settings, records)

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "channel.chat"):
        await marks_reach(ground, len(records))

    assert await effects(ground.pool) == [("good", number) for number in range(len(crafted) + 1)]
    async with ground.pool.acquire() as connection:
        listed = await parking_lot.parked(connection)
        shown = [await parking_lot.parked_record(connection, each.parked_id) for each in listed]
    assert [(each.status, each.reason) for each in listed] == [("dead", reason)] * len(crafted)
    assert [each.record.offset for each in listed] == [2 * place + 1 for place in range(len(crafted))]
    for each, record in zip(shown, crafted, strict=True):
        assert each is not None
        assert (each.record.key, each.record.value) == (record.key, record.value)
        assert tuple(each.record.headers) == tuple(record.headers)
        assert "bad" not in each.detail


async def test_a_bug_is_retried_in_order_after_the_fix(ground: Ground) -> None:
    notes, clock = Notes({2: ZeroDivisionError}), SettableClock()
    consumer = a_consumer(ground.pool, notes, clock)
    await publish(
        ground.settings,
        [record_of(message) for message in (ended("a", 1), ended("a", 2), ended("b", 9), ended("a", 3))],
    )
    async with consuming(ground.settings, consumer, "channel.chat"):
        await marks_reach(ground, 4)
    assert await effects(ground.pool) == [("a", 1), ("b", 9)]

    for _ in range(3):
        clock.pass_by(60)
        await retry_due(consumer.processing, ground.pool, consumer.open_record, consumer.keep)
    assert [status for status, _, _ in await lot(ground.pool)] == ["dead", "retried"]

    notes.failures.clear()
    async with ground.pool.acquire() as connection:
        await parking_lot.requeue(connection, [1], "ops", "fixed", clock.now())
    await retry_due(consumer.processing, ground.pool, consumer.open_record, consumer.keep)
    assert await effects(ground.pool) == [("a", 1), ("b", 9), ("a", 3), ("a", 2)]


async def test_many_failures_in_a_row_end_the_service_and_the_rest_stays(ground: Ground) -> None:
    notes = Notes(dict.fromkeys(range(100), KeyError))
    await publish(ground.settings, [record_of(ended(f"c-{number}", number)) for number in range(100)])
    with pytest.raises(ExceptionGroup) as stopped:
        async with consuming(
            ground.settings,
            a_consumer(ground.pool, notes, dead_in_a_row_max=20),
            "channel.chat",
        ) as stopping:
            await stopping.wait()
    assert stopped.group_contains(StoppedError)
    assert await ground.pool.fetchval("SELECT sum(next_offset) FROM koff") == 19

    notes.failures.clear()
    async with consuming(ground.settings, a_consumer(ground.pool, notes), "channel.chat"):
        await marks_reach(ground, 100)
    assert [number for _, number in await effects(ground.pool)] == list(range(19, 100))


async def test_postgres_away_ends_nothing_and_heals_by_itself(ground: Ground) -> None:
    async with door_to(ground.settings.postgres_dsn.get_secret_value()) as door:
        settings = Settings.model_validate(ground.settings.model_dump() | {"postgres_dsn": door.dsn})
        async with open_pool(settings, ground.schema) as pool:
            consumer = a_consumer(pool, Notes())
            async with consuming(settings, consumer, "case.events"):
                await publish(settings, [record_of(progressed(CASE, number)) for number in range(1, 101)])
                await marks_reach(ground, 100)
                door.shut()
                await publish(settings, [record_of(progressed(CASE, number)) for number in range(101, 301)])
                await door.knocked(3)
                door.open()
                await marks_reach(ground, 300)
    assert [number for _, number in await effects(ground.pool)] == list(range(1, 301))
    assert await lot(ground.pool) == []


async def test_connections_cut_in_the_middle_of_batches_lose_and_double_nothing(ground: Ground) -> None:
    async with door_to(ground.settings.postgres_dsn.get_secret_value()) as door:
        settings = Settings.model_validate(
            ground.settings.model_dump() | {"postgres_dsn": door.dsn, "batch_records_max": 10},
        )
        calls = 0

        async def handler(work: Work) -> Sequence[Outgoing]:
            nonlocal calls
            calls += 1
            said = await Notes()(work)
            if calls % 7 == 0:
                asyncio.get_running_loop().call_later(0.001 * (calls % 3), _flicker, door)
            return said

        def _flicker(door: object) -> None:
            door.shut()  # type: ignore[attr-defined]  # the door of this test
            door.open()  # type: ignore[attr-defined]  # the door of this test

        await publish(settings, [record_of(progressed(CASE, number)) for number in range(1, 301)])
        async with (
            open_pool(settings, ground.schema) as pool,
            consuming(settings, a_consumer(pool, handler), "case.events"),
        ):
            await marks_reach(ground, 300)
    assert [number for _, number in await effects(ground.pool)] == list(range(1, 301))
    assert calls > 30


async def test_a_lock_that_is_held_while_marks_are_read_passes_by(ground: Ground) -> None:
    settings = Settings.model_validate(ground.settings.model_dump() | {"lock_timeout_seconds": 0.1})
    await publish(settings, [record_of(progressed(CASE, number)) for number in range(1, 11)])
    async with open_pool(settings, ground.schema) as pool, ground.pool.acquire() as holder:
        lock = holder.transaction()
        await lock.start()
        await holder.execute("LOCK TABLE koff")
        log = Listening()
        consumer = replace(a_consumer(pool, Notes()), log=Log("tiny", "warning", log))
        async with consuming(settings, consumer, "case.events"):
            await log.heard(2)
            await lock.rollback()
            await marks_reach(ground, 10)
    assert [number for _, number in await effects(ground.pool)] == list(range(1, 11))


async def test_a_subscription_that_was_interrupted_reads_again(ground: Ground) -> None:
    consumer = a_consumer(ground.pool, Notes())
    subscription = Subscription(ground.settings, "tiny", ["case.events"], consumer, consumer.log)
    for number in (1, 2):
        await publish(ground.settings, [record_of(progressed(CASE, number))])
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(subscription.run(stopping))
            await marks_reach(ground, number)
            stopping.set()
    assert [number for _, number in await effects(ground.pool)] == [1, 2]


async def test_a_refusal_by_the_business_is_done_and_said(ground: Ground) -> None:
    refusal = Outgoing(progressed(CASE, 1), derived_id("refusal"))
    await publish(ground.settings, [record_of(ended("a", 1))])
    async with consuming(ground.settings, a_consumer(ground.pool, Notes(said=(refusal,))), "channel.chat"):
        await marks_reach(ground, 1)
    assert await lot(ground.pool) == []
    assert await ground.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_header_name_that_is_no_text_blocks_nobody(ground: Ground) -> None:
    await publish(ground.settings, [record_of(ended("good", 1))])
    vandal = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.tiny_vandal",
        ground.settings.kafka_bootstrap,
        ground.settings.topic_prefix + "channel.chat",
        env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"},
    )
    assert await vandal.wait() == 0
    await publish(ground.settings, [record_of(ended("good", 2))])

    async with consuming(ground.settings, a_consumer(ground.pool, Notes()), "channel.chat"):
        await marks_reach(ground, 3)

    assert await effects(ground.pool) == [("good", 1), ("good", 2)]
    row = await ground.pool.fetchrow("SELECT reason, header_names, header_values FROM parked")
    assert row is not None
    assert tuple(row) == ("malformed_envelope", [b"\xff\xfe"], [b"1"])
