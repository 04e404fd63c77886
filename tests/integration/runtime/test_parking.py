"""Does a parked record keep its bytes, its place behind others of its key, and its way back?"""

import asyncio
from collections.abc import Sequence

from contracts.message import derived_id
from services.runtime import gauges, metrics, parking, parking_lot
from services.runtime.consumer import Consumer
from services.runtime.database import Pool
from services.runtime.endings import Tally
from services.runtime.pieces import Entry
from services.runtime.records import Record, Slice
from services.runtime.retrier import LOCK, DueRetries, retry_due
from services.runtime.work import Outgoing, Work
from tests.support.floor import NOW
from tests.support.tiny import (
    Notes,
    SettableClock,
    a_consumer,
    effects,
    ended,
    lot,
    progressed,
    record_of,
    slice_of,
)

CASE, OTHER = derived_id("one"), derived_id("other")


async def settled(pool: Pool, notes: Notes, records: Slice, clock: SettableClock | None = None) -> Consumer:
    consumer = a_consumer(pool, notes, clock or SettableClock())
    await consumer.adopt([records.place])
    await consumer.settle([records])
    return consumer


async def retry(consumer: Consumer) -> Tally:
    return await retry_due(consumer.processing, consumer.pool, consumer.open_record, consumer.keep)


async def numbers(pool: Pool) -> list[int]:
    return [number for _, number in await effects(pool)]


async def test_the_bytes_of_a_record_survive(tiny: Pool) -> None:
    headers = (("ce_id", None), ("x", b"\xff\x00"), ("x", b""), ("näme\x00", b"1"), ("", b""))
    record = Record("channel.chat", 3, 0, -1, b"\xfe\x00" * 3000, b"\x00\xff{", headers)
    absurd = Record("channel.chat", 3, 1, 2**62, None, None, ())
    await settled(tiny, Notes(), Slice("channel.chat", 3, [record, absurd]))

    async with tiny.acquire() as connection:
        listed = await parking_lot.parked(connection)
        shown = [await parking_lot.parked_record(connection, each.parked_id) for each in listed]
        assert await parking_lot.parked_record(connection, 999) is None

    assert [each.record for each in shown if each] == [record, absurd]
    assert [(each.status, each.reason) for each in listed] == [("dead", "malformed_envelope")] * 2
    assert [each.record.value for each in listed] == [None, None]


async def test_later_messages_of_a_key_stand_behind_and_come_back_in_order(tiny: Pool) -> None:
    notes, clock = Notes({2: ValueError}), SettableClock()
    consumer = await settled(tiny, notes, slice_of([progressed(CASE, 1), progressed(CASE, 2)]), clock)
    await consumer.settle([slice_of([progressed(CASE, 3), progressed(OTHER, 50), progressed(CASE, 4)], first=2)])
    assert await numbers(tiny) == [1, 50]

    assert (await retry(consumer)).records == 0
    clock.pass_by(1.1)
    assert (await retry(consumer)).retry == 1
    notes.failures.clear()
    assert (await retry(consumer)).records == 0
    clock.pass_by(2.1)
    assert (await retry(consumer)).done == 3

    assert await numbers(tiny) == [1, 50, 2, 3, 4]
    assert {status for status, _, _ in await lot(tiny)} == {"retried"}
    await consumer.settle([slice_of([progressed(CASE, 5)], first=5)])
    assert (await numbers(tiny))[-1] == 5


async def test_a_record_is_dead_after_the_last_attempt_and_lets_the_others_go_on(tiny: Pool) -> None:
    clock = SettableClock()
    consumer = await settled(tiny, Notes({1: ValueError}), slice_of([progressed(CASE, 1), progressed(CASE, 2)]), clock)
    for _ in range(4):
        clock.pass_by(60)
        await retry(consumer)

    assert await lot(tiny) == [("dead", "handler_failed", 0), ("retried", "behind", 1)]
    assert await numbers(tiny) == [2]


async def test_a_requeued_record_passes_the_duplicate_guard(tiny: Pool) -> None:
    notes, clock = Notes({1: ValueError}), SettableClock()
    consumer = await settled(tiny, notes, slice_of([ended("a", 1)]), clock)
    consumer.processing.backoff = parking.Backoff(attempts_max=1)
    clock.pass_by(2)
    assert (await retry(consumer)).dead == 1
    notes.failures.clear()

    for expected in ("done", "duplicate"):
        await tiny.execute("UPDATE parked SET status = 'dead'")
        async with tiny.acquire() as connection:
            assert await parking_lot.requeue(connection, [1, 99], "ops", "the deploy is fixed", clock.now()) == [1]
        assert getattr(await retry(consumer), expected) == 1

        status = "retried" if expected == "done" else "no_effect"
        assert [each for each, _, _ in await lot(tiny)] == [status]

    assert await effects(tiny) == [("a", 1)]
    actions = await tiny.fetch("SELECT parked_id, action, by_whom, reason FROM parked_actions")
    assert [tuple(action) for action in actions] == [(1, "retry", "ops", "the deploy is fixed")] * 2


class Overtaken(Notes):
    """A handler that knows something later of one case."""

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        """Say of its events that they change nothing."""
        for received in work.received:
            if received.key == str(CASE):
                work.without_effect(received)
        return ()


async def test_a_retry_that_changes_nothing_is_told_from_one_that_does(tiny: Pool) -> None:
    clock = SettableClock()
    records = slice_of([progressed(CASE, 1), progressed(OTHER, 2)])
    consumer = await settled(tiny, Notes(dict.fromkeys((1, 2), ValueError)), records, clock)

    consumer.processing.handler = Overtaken()
    clock.pass_by(2)
    assert (await retry(consumer)).done == 2

    assert [(offset, status) for status, _, offset in await lot(tiny)] == [(0, "no_effect"), (1, "retried")]


async def test_dead_records_of_a_key_come_back_in_their_order(tiny: Pool) -> None:
    """However a person names them, and whatever stands behind them meanwhile."""
    notes, clock = Notes(dict.fromkeys((1, 2, 3), ValueError)), SettableClock()
    consumer = a_consumer(tiny, notes, clock)
    consumer.processing.backoff = parking.Backoff(attempts_max=1)
    await consumer.adopt([("case.events", 0)])
    for number in (1, 2, 3):
        await consumer.settle([slice_of([progressed(CASE, number)], first=number - 1)])
    assert [status for status, _, _ in await lot(tiny)] == ["dead"] * 3
    notes.failures.clear()

    async with tiny.acquire() as connection:
        await parking_lot.requeue(connection, [3, 1, 2], "ops", "the deploy is fixed", clock.now())
    await consumer.settle([slice_of([progressed(CASE, 4)], first=3)])
    assert await numbers(tiny) == []
    assert (await retry(consumer)).done == 4

    assert await numbers(tiny) == [1, 2, 3, 4]


async def test_how_much_is_parked_and_for_how_long_can_be_measured(tiny: Pool) -> None:
    clock = SettableClock()
    await settled(tiny, Notes({1: ValueError}), slice_of([progressed(CASE, 1)]), clock)
    clock.pass_by(90)
    await gauges.look(tiny, clock)

    def value(name: str, status: str) -> float | None:
        return metrics.REGISTRY.get_sample_value(name, {"status": status})

    assert (value("caseloop_parked", "retry"), value("caseloop_parked_age_seconds", "retry")) == (1, 90)
    assert (value("caseloop_parked", "dead"), value("caseloop_parked_age_seconds", "dead")) == (0, 0)


async def test_an_unreadable_record_stays_dead_until_it_can_be_read(tiny: Pool) -> None:
    clock = SettableClock()
    consumer = await settled(tiny, Notes(), slice_of([ended("a", 1)]), clock)
    narrow = Slice("channel.chat", 0, [record_of(ended("b", 2), 1, value=b"{")])
    await consumer.settle([narrow])
    for _ in range(2):
        async with tiny.acquire() as connection:
            assert await parking_lot.requeue(connection, [1], "ops", "try", clock.now()) == [1]
        assert (await retry(consumer)).dead == 1

    await tiny.execute("UPDATE parked SET record_value = $1", ended("b", 2).value())
    async with tiny.acquire() as connection:
        await parking_lot.requeue(connection, [1], "ops", "a reader that understands it", clock.now())
    assert (await retry(consumer)).done == 1
    assert await effects(tiny) == [("a", 1), ("b", 2)]


async def test_a_discarded_record_has_no_effect_and_lets_the_others_go_on(tiny: Pool) -> None:
    clock = SettableClock()
    consumer = await settled(tiny, Notes({1: ValueError}), slice_of([progressed(CASE, 1), progressed(CASE, 2)]), clock)
    async with tiny.acquire() as connection:
        assert await parking_lot.discard(connection, [1], "ops", "a test call", clock.now()) == [1]
        assert await parking_lot.discard(connection, [1], "ops", "again", clock.now()) == []

    clock.pass_by(1)
    assert (await retry(consumer)).done == 1

    assert await numbers(tiny) == [2]
    assert await tiny.fetchval("SELECT reason FROM parked_actions") == "a test call"


async def test_two_replicas_retry_a_record_once(tiny: Pool) -> None:
    notes, clock = Notes(dict.fromkeys(range(1, 6), ValueError)), SettableClock()
    first = await settled(tiny, notes, slice_of([progressed(CASE, n) for n in range(1, 6)]), clock)
    second = a_consumer(tiny, notes, clock)
    notes.failures.clear()
    clock.pass_by(1.1)

    await gather_retries([first, second] * 4)

    assert await numbers(tiny) == [1, 2, 3, 4, 5]


async def gather_retries(consumers: Sequence[Consumer]) -> None:
    await asyncio.gather(*(retry(consumer) for consumer in consumers))


async def test_records_without_a_key_stand_behind_nobody(tiny: Pool) -> None:
    bare = [record_of(ended(f"c-{n}", n), n) for n in (1, 2)]
    records = [Record(r.topic, 0, r.offset - 1, r.timestamp_ms, None, r.value, r.headers) for r in bare]
    await settled(tiny, Notes({1: ValueError}), Slice("channel.chat", 0, records))
    assert await effects(tiny) == [("c-2", 2)]
    assert await lot(tiny) == [("retry", "handler_failed", 0)]


def test_pauses_double_up_to_a_bound() -> None:
    backoff = parking.Backoff(first_seconds=1, max_seconds=10)
    pauses = [(backoff.next_attempt_at(attempt, NOW) - NOW).total_seconds() for attempt in (1, 2, 3, 4, 5, 500)]
    assert pauses == [1, 2, 4, 8, 10, 10]


async def test_who_read_the_lot_before_another_replica_changed_it_does_nothing(tiny: Pool) -> None:
    """What was read before is stale: the count of attempts tells, and nobody slips past a record that was left out."""
    notes, clock = Notes({1: ValueError}), SettableClock()
    consumer = await settled(tiny, notes, slice_of([progressed(CASE, 1), progressed(CASE, 2)]), clock)
    stale = [
        Entry(record, consumer.open_record(record, NOW), parked_id, attempt)
        for parked_id, attempt, record in (
            (1, 1, record_of(progressed(CASE, 1))),
            (2, 0, record_of(progressed(CASE, 2), 1)),
        )
    ]
    clock.pass_by(1.1)
    assert (await retry(consumer)).retry == 1

    notes.failures.clear()
    assert (await consumer.processing.settle(DueRetries(stale))).records == 0
    assert await numbers(tiny) == []


async def test_only_one_replica_retries_at_a_time(tiny: Pool) -> None:
    clock = SettableClock()
    consumer = await settled(tiny, Notes({1: ValueError}), slice_of([progressed(CASE, 1)]), clock)
    clock.pass_by(2)
    async with tiny.acquire() as connection, connection.transaction():
        assert await connection.fetchval(LOCK)
        assert (await retry(consumer)).records == 0
    assert (await retry(consumer)).records == 1
