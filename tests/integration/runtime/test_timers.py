"""Does a timer fire once, never early, and never after it was cancelled or moved?"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from contracts.message import derived_id
from services.runtime import firing, timers
from services.runtime.database import Pool
from services.runtime.looking import DueEvent, LookBack
from services.runtime.processing import Processing
from services.runtime.retrier import retry_due
from services.runtime.timers import Timer
from services.runtime.work import Outgoing, TimerFired, Work
from tests.support.floor import NOW
from tests.support.tiny import Notes, SettableClock, a_consumer, a_processing, effects, lot

ONE = derived_id("timer")


def timer(number: int, seconds: float = 0, timer_id: UUID | None = None) -> Timer:
    due_at = NOW + timedelta(seconds=seconds)
    return Timer(
        timer_id or derived_id("timer", number), due_at, "tick", f"key-{number}", {"number": number, "text": None}
    )


async def schedule(pool: Pool, *given: Timer) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await timers.schedule(connection, given)


async def cancel(pool: Pool, *timer_ids: UUID) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await timers.cancel(connection, timer_ids)


async def fire(processing: Processing) -> float:
    return await firing.fire_due(processing, processing.pool, processing.log, LookBack())


async def fired(pool: Pool) -> list[int]:
    return [number for _, number in await effects(pool)]


async def test_due_timers_fire_in_order_and_only_once(tiny: Pool) -> None:
    clock = SettableClock()
    processing = a_processing(tiny, Notes(), clock)
    await schedule(tiny, timer(2, 2), timer(1, 1), timer(9, 9))

    assert await fire(processing) == firing.IDLE_SECONDS
    clock.pass_by(2)
    assert await fire(processing) == 0
    assert await fire(processing) == firing.IDLE_SECONDS

    assert await fired(tiny) == [1, 2]
    clock.pass_by(6.9)
    assert 0 < await fire(processing) <= 0.11


async def test_a_fired_timer_is_a_message_of_its_setting(tiny: Pool) -> None:
    seen: list[Work] = []

    async def handler(work: Work) -> Sequence[Outgoing]:
        seen.append(work)
        return ()

    processing = a_processing(tiny, handler)
    for _ in range(2):
        await schedule(tiny, timer(1))
        await fire(processing)

    first, second = (work.received[0] for work in seen)
    assert isinstance(first.message, TimerFired)
    assert (first.type, first.topic, first.partition, first.key) == ("caseloop.timer.tick", "timers", -1, "key-1")
    assert (first.message.kind, first.message.payload, first.message.due_at) == (
        "tick",
        {"number": 1, "text": None},
        NOW,
    )
    assert first.message_id == derived_id(first.message.timer_id, first.message.generation)
    assert first.message_id != second.message_id


async def test_a_moved_timer_fires_at_the_new_time_only(tiny: Pool) -> None:
    clock = SettableClock()
    processing = a_processing(tiny, Notes(), clock)
    await schedule(tiny, timer(1, 1, ONE))
    await schedule(tiny, timer(2, 5, ONE), timer(3, 4, ONE))
    clock.pass_by(3)
    await fire(processing)
    assert await fired(tiny) == []
    clock.pass_by(2)
    await fire(processing)
    assert await fired(tiny) == [3]


async def test_a_cancelled_timer_never_fires(tiny: Pool) -> None:
    await schedule(tiny, timer(1), timer(2))
    await cancel(tiny, derived_id("timer", 1), derived_id("unknown"))
    await fire(a_processing(tiny, Notes()))
    assert await fired(tiny) == [2]


async def test_a_timer_cancelled_while_its_handler_runs_does_not_fire(tiny: Pool) -> None:
    for change in (lambda: cancel(tiny, ONE), lambda: schedule(tiny, timer(2, 60, ONE))):
        await schedule(tiny, timer(1, 0, ONE))
        notes = Notes()

        async def handler(work: Work, notes: Notes = notes, change: object = change) -> Sequence[Outgoing]:
            said = await notes(work)
            await change()  # type: ignore[operator]  # a closure of this test
            return said

        assert await fire(a_processing(tiny, handler)) == 0
        assert await fired(tiny) == []


async def test_a_handler_may_set_and_cancel_the_timers_that_are_firing(tiny: Pool) -> None:
    async def handler(work: Work) -> Sequence[Outgoing]:
        await timers.schedule(work.connection, [timer(7, 60, ONE)])
        await timers.cancel(work.connection, [derived_id("timer", 2)])
        return await Notes()(work)

    await schedule(tiny, timer(1, 0, ONE), timer(2), timer(3))
    await fire(a_processing(tiny, handler))

    assert sorted(await fired(tiny)) == [1, 2, 3]
    left = await tiny.fetch("SELECT timer_id, due_at FROM timers")
    assert [tuple(row) for row in left] == [(ONE, NOW + timedelta(seconds=60))]


async def test_a_timer_that_fails_is_parked_alone_and_retried(tiny: Pool) -> None:
    clock, notes = SettableClock(), Notes({3: ValueError})
    consumer = a_consumer(tiny, notes, clock)
    await schedule(tiny, *(timer(number) for number in range(1, 6)))
    await fire(consumer.processing)
    assert sorted(await fired(tiny)) == [1, 2, 4, 5]

    notes.failures.clear()
    clock.pass_by(1.1)
    assert (await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)).done == 1
    assert (await fired(tiny))[-1] == 3
    assert await tiny.fetchval("SELECT count(*) FROM timers") == 0


@pytest.mark.parametrize("change", ["cancel", "move"])
async def test_a_parked_timer_that_is_cancelled_or_moved_is_void(tiny: Pool, change: str) -> None:
    clock, notes = SettableClock(), Notes({1: ValueError})
    consumer = a_consumer(tiny, notes, clock)
    await schedule(tiny, timer(1, 0, ONE))
    await fire(consumer.processing)

    await (cancel(tiny, ONE) if change == "cancel" else schedule(tiny, timer(2, 3600, ONE)))
    notes.failures.clear()
    clock.pass_by(60)
    await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)

    assert await fired(tiny) == []
    assert [status for status, _, _ in await lot(tiny)] == ["discarded"]


@pytest.mark.parametrize("spoilt", ["no JSON", "[]", "{}", "\\xff"])
async def test_a_parked_timer_that_cannot_be_read_is_dead_and_holds_nobody_up(tiny: Pool, spoilt: str) -> None:
    clock, notes = SettableClock(), Notes({1: ValueError, 2: ValueError})
    consumer = a_consumer(tiny, notes, clock)
    await schedule(tiny, timer(1), timer(2))
    await fire(consumer.processing)
    await tiny.execute("UPDATE parked SET record_value = $1 WHERE record_key = 'key-1'", spoilt.encode("latin-1"))

    notes.failures.clear()
    clock.pass_by(60)
    await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)

    assert sorted((status, reason) for status, reason, _ in await lot(tiny)) == [
        ("dead", "invalid_data"),
        ("retried", "handler_failed"),
    ]
    assert await fired(tiny) == [2]


async def test_a_stored_timer_with_nonsense_holds_nobody_up(tiny: Pool) -> None:
    processing = a_processing(tiny, Notes())
    await schedule(tiny, timer(1), timer(2))
    await tiny.execute("UPDATE timers SET payload = '[7]' WHERE key = 'key-1'")
    await fire(processing)
    assert await fired(tiny) == [2]
    assert [status for status, _, _ in await lot(tiny)] == ["retry"]


async def test_two_replicas_fire_each_timer_once(tiny: Pool) -> None:
    await schedule(tiny, *(timer(number) for number in range(300)))
    replicas = [a_processing(tiny, Notes()) for _ in range(3)]
    await asyncio.gather(*(fire(processing) for processing in replicas * 3))
    while await tiny.fetchval("SELECT count(*) FROM timers"):
        await fire(replicas[0])
    assert sorted(await fired(tiny)) == list(range(300))


async def test_firing_and_cancelling_exclude_each_other(tiny: Pool) -> None:
    """What the cancelling transaction removed has not fired, what it did not find has fired: never both or neither."""
    processing = a_processing(tiny, Notes())
    removed: set[int] = set()

    async def cancelling(number: int) -> None:
        async with tiny.acquire() as connection, connection.transaction():
            there = await connection.fetchval(
                "SELECT count(*) FROM timers WHERE timer_id = $1",
                derived_id("timer", number),
            )
            await timers.cancel(connection, [derived_id("timer", number)])
            gone = await connection.fetchval("SELECT count(*) FROM effects WHERE number = $1", number)
            if there and not gone:
                removed.add(number)

    await schedule(tiny, *(timer(number) for number in range(120)))
    await asyncio.gather(*(fire(processing) for _ in range(6)), *(cancelling(number) for number in range(0, 120, 2)))
    while await tiny.fetchval("SELECT count(*) FROM timers"):
        await fire(processing)

    done = await fired(tiny)
    assert len(done) == len(set(done))
    assert set(done) | removed == set(range(120))
    assert not set(done) & removed


async def test_the_lock_order_of_business_first_leaves_no_deadlock(tiny: Pool) -> None:
    """A message cancels the timer of the very row whose timer is firing: both finish, nobody waits for a deadlock."""
    await tiny.execute("CREATE TABLE cases (case_key text PRIMARY KEY, touched int)")
    await tiny.execute("INSERT INTO cases VALUES ('key-1', 0)")
    await schedule(tiny, timer(1))
    holding, go_on = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with tiny.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE cases SET touched = touched + 1")
            holding.set()
            await go_on.wait()
            await timers.cancel(connection, [derived_id("timer", 1)])

    async def handler(work: Work) -> Sequence[Outgoing]:
        go_on.set()
        await work.connection.execute("UPDATE cases SET touched = touched + 1")
        return await Notes()(work)

    async with asyncio.timeout(0.9), asyncio.TaskGroup() as tasks:
        tasks.create_task(live())
        await holding.wait()
        tasks.create_task(fire(a_processing(tiny, handler)))

    assert await fired(tiny) == []
    assert await tiny.fetchval("SELECT touched FROM cases") == 1


async def test_the_loop_sleeps_until_it_is_woken_and_stops(tiny: Pool) -> None:
    clock, wake, stopping = SettableClock(), DueEvent(), asyncio.Event()
    processing = a_processing(tiny, Notes(), clock, committed=lambda _said: stopping.set())
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(firing.timers_loop(processing, tiny, wake, processing.log, stopping))
        await schedule(tiny, timer(1))
        wake.set()
        await stopping.wait()
    assert await fired(tiny) == [1]


async def test_what_is_left_of_a_full_batch_is_fired_next_however_late_it_is(
    tiny: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "BATCH_MAX", 2)
    clock, looks = SettableClock(), LookBack()
    processing = a_processing(tiny, Notes(), clock)
    await schedule(tiny, *(timer(number, number) for number in range(1, 6)))
    clock.pass_by(3600)
    for _ in range(3):
        assert await firing.fire_due(processing, tiny, processing.log, looks) == 0
    assert await fired(tiny) == [1, 2, 3, 4, 5]


async def test_only_one_replica_fires_at_a_time(tiny: Pool) -> None:
    await schedule(tiny, timer(1))
    async with tiny.acquire() as connection, connection.transaction():
        assert await connection.fetchval(firing.LOCK)
        assert await fire(a_processing(tiny, Notes())) == firing.IDLE_SECONDS
    assert await fire(a_processing(tiny, Notes())) == 0
