"""Does every record get one of the four endings, in one transaction, and only the culprit a bad one?"""

import asyncio
from datetime import timedelta

import pytest

from services.runtime import offsets
from services.runtime.consumer import Consumer
from services.runtime.database import Pool
from services.runtime.envelope import opener
from services.runtime.errors import PermanentError
from services.runtime.offsets import FencedError
from services.runtime.records import Slice
from services.runtime.retirement import retire
from tests.support.floor import NOW, milestone
from tests.support.tiny import (
    CASES,
    WANTS,
    Notes,
    SettableClock,
    a_consumer,
    a_processing,
    adopted,
    effects,
    ended,
    headers_of,
    lot,
    marks,
    progressed,
    record_of,
    slice_of,
)


async def test_a_poll_of_many_partitions_is_one_transaction(tiny: Pool) -> None:
    notes = Notes(said=(milestone(CASES[0], 1),))
    slices = [slice_of([progressed(CASES[p], n) for n in range(1, 6)], partition=p) for p in range(3)]
    consumer = await adopted(a_consumer(tiny, notes), *slices)

    settled = await consumer.settle(slices)

    assert (settled.tally.done, settled.tally.said, notes.calls) == (15, 1, 1)
    assert await effects(tiny) == [(str(CASES[p]), n) for p in range(3) for n in range(1, 6)]
    assert await marks(tiny) == {("case.events", p): 5 for p in range(3)}
    assert await tiny.fetchval("SELECT count(*) FROM outbox") == 1


async def test_two_owners_of_a_partition_have_one_effect(tiny: Pool) -> None:
    records = slice_of([progressed(CASES[0], n) for n in range(1, 4)])
    first = await adopted(a_consumer(tiny, Notes()), records)
    second = await adopted(a_consumer(tiny, Notes()), records)

    await first.settle([records])
    with pytest.raises(FencedError):
        await second.settle([records])

    assert [number for _, number in await effects(tiny)] == [1, 2, 3]


async def test_an_owner_who_was_overtaken_goes_on_from_the_mark(tiny: Pool) -> None:
    records = slice_of([progressed(CASES[0], n) for n in range(1, 4)])
    later = slice_of([progressed(CASES[0], 4)], first=3)
    first = await adopted(a_consumer(tiny, Notes()), records)
    second = await adopted(a_consumer(tiny, Notes()), records)
    await first.settle([records])

    second.forget([records.place])
    assert await second.adopt([records.place]) == {records.place: 3}
    await second.settle([later])

    assert [number for _, number in await effects(tiny)] == [1, 2, 3, 4]


async def test_the_first_slice_after_an_adoption_is_settled_if_it_begins_at_the_mark(tiny: Pool) -> None:
    records = slice_of([progressed(CASES[0], n) for n in range(1, 4)])
    consumer = await adopted(a_consumer(tiny, Notes()), records)

    settled = await consumer.settle([records])

    assert (settled.tally.done, settled.seek) == (3, {records.place: 3})
    assert (await consumer.settle([slice_of([progressed(CASES[0], 4)], first=3)])).seek == {}


async def test_the_first_slice_after_an_adoption_is_read_once_more_if_it_begins_elsewhere(tiny: Pool) -> None:
    records = slice_of([progressed(CASES[0], n) for n in range(1, 4)], first=10)
    consumer = a_consumer(tiny, Notes())
    await consumer.adopt([records.place])

    doubted = await consumer.settle([records])
    assert (doubted.tally.records, doubted.seek) == (0, {records.place: 0})
    again = await consumer.settle([records])

    assert (again.tally.done, again.seek) == (3, {})
    assert await marks(tiny) == {("case.events", 0): 13}


async def test_a_log_with_holes_goes_on(tiny: Pool) -> None:
    consumer = await adopted(a_consumer(tiny, Notes()), slice_of([progressed(CASES[0], 1)]))
    for offset in (0, 7, 40):
        await consumer.settle([slice_of([progressed(CASES[0], offset + 1)], first=offset)])
    assert [number for _, number in await effects(tiny)] == [1, 8, 41]
    assert await marks(tiny) == {("case.events", 0): 41}


async def test_a_partition_that_is_taken_away_while_it_is_adopted_is_not_ours(tiny: Pool) -> None:
    place = ("case.events", 0)
    consumer = a_consumer(tiny, Notes())
    async with (
        asyncio.timeout(10),
        asyncio.TaskGroup() as group,
        tiny.acquire() as holder,
        holder.transaction(),
    ):
        await holder.execute("LOCK TABLE koff")
        adopting = group.create_task(consumer.adopt([place]))
        while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - a fact
            await asyncio.sleep(0.01)
        consumer.forget([place])
    assert (adopting.result(), consumer.marks) == ({}, {})
    assert await consumer.adopt([place]) == {place: 0}


async def test_what_is_all_taken_away_while_a_connection_is_waited_for_is_not_adopted(tiny: Pool) -> None:
    async with tiny.acquire() as connection:
        assert await offsets.load(connection, (), {}) == {}
        assert await offsets.load(connection, (), {("case.events", 0): 7}) == {}
    assert await marks(tiny) == {}


async def test_only_where_nothing_moves_it_is_asked_what_was_deleted(tiny: Pool) -> None:
    """What the brokers delete while it is on its way to us is read all the same, and was not missed."""
    first, second = (slice_of([progressed(CASES[0], n)], first=n - 1) for n in (1, 2))
    consumer = await adopted(a_consumer(tiny, Notes()), first)
    await consumer.settle([first])
    assert consumer.standing() == {}
    await consumer.settle([second])
    assert consumer.standing() == {}
    assert consumer.standing() == {second.place: 2}


async def test_partitions_that_are_not_ours_are_left_alone(tiny: Pool) -> None:
    settled = await a_consumer(tiny, Notes()).settle([slice_of([progressed(CASES[0], 1)])])
    assert (settled.tally.records, settled.seek) == (0, {})


async def test_repeats_of_the_edge_are_duplicates_inside_and_across_polls(tiny: Pool) -> None:
    twice = slice_of([ended("a", 1), ended("b", 2), ended("a", 1)])
    consumer = await adopted(a_consumer(tiny, Notes()), twice)

    first = await consumer.settle([twice])
    again = await consumer.settle([slice_of([ended("b", 2), ended("c", 3)], first=3)])

    assert (first.tally.done, first.tally.duplicate, again.tally.done, again.tally.duplicate) == (2, 1, 1, 1)
    assert await effects(tiny) == [("a", 1), ("b", 2), ("c", 3)]


async def test_eight_rivals_with_the_same_messages_have_one_effect_each(tiny: Pool) -> None:
    messages = [ended(f"c-{number}", number) for number in range(50)]

    async def rival(partition: int) -> int:
        ordered = messages if partition % 2 else messages[::-1]
        records = slice_of(ordered, partition=partition)
        consumer = await adopted(a_consumer(tiny, Notes()), records)
        return (await consumer.settle([records])).tally.done

    done = await asyncio.gather(*(rival(partition) for partition in range(8)))

    assert sum(done) == 50
    assert sorted(number for _, number in await effects(tiny)) == list(range(50))


async def test_only_the_culprit_is_parked(tiny: Pool) -> None:
    notes = Notes({13: ValueError, 27: KeyError})
    slices = [slice_of([progressed(CASES[p], p * 20 + n) for n in range(1, 21)], partition=p) for p in range(2)]
    consumer = await adopted(a_consumer(tiny, notes), *slices)

    settled = await consumer.settle(slices)

    behind = 7 + 13
    assert (settled.tally.done, settled.tally.retry) == (40 - 2 - behind, 2 + behind)
    good = [n for n in range(1, 41) if n < 13 or 20 < n < 27]
    assert [number for _, number in await effects(tiny)] == good
    reasons = [reason for _, reason, _ in await lot(tiny)]
    assert reasons == ["handler_failed", *["behind"] * 7, "handler_failed", *["behind"] * 13]
    assert await marks(tiny) == {("case.events", 0): 20, ("case.events", 1): 20}


async def test_the_neighbours_of_a_culprit_with_other_keys_go_on(tiny: Pool) -> None:
    records = slice_of([ended(f"c-{number}", number) for number in range(100)])
    consumer = await adopted(a_consumer(tiny, Notes({42: ZeroDivisionError})), records)

    await consumer.settle([records])

    assert [number for _, number in await effects(tiny)] == [n for n in range(100) if n != 42]
    row = await tiny.fetchrow("SELECT * FROM parked")
    assert row is not None
    assert (row["status"], row["reason"], row["record_offset"]) == ("retry", "handler_failed", 42)
    assert row["detail"].startswith("ZeroDivisionError at tests/support/tiny.py:")


async def test_what_a_failed_handler_said_and_claimed_is_forgotten(tiny: Pool) -> None:
    notes = Notes({1: ValueError}, said=(milestone(CASES[0], 1),))
    records = slice_of([ended("a", 1)])
    consumer = await adopted(a_consumer(tiny, notes), records)

    await consumer.settle([records])

    assert await tiny.fetchval("SELECT count(*) FROM outbox") == 0
    assert await tiny.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_permanent_failure_is_dead_at_once(tiny: Pool) -> None:
    records = slice_of([ended("a", 1)])
    consumer = await adopted(a_consumer(tiny, Notes({1: lambda: PermanentError("no", reason="invalid_data")})), records)
    assert (await consumer.settle([records])).tally.dead == 1
    assert await lot(tiny) == [("dead", "invalid_data", 0)]


async def test_unwanted_types_are_passed_by_without_reading_them(tiny: Pool) -> None:
    records = Slice("case.events", 0, [record_of(progressed(CASES[0], 1), 0, value=b"not json")])
    processing = a_processing(tiny, Notes())
    consumer = Consumer(processing, tiny, processing.clock, opener(WANTS[:1]), processing.log)
    await adopted(consumer, records)
    assert (await consumer.settle([records])).tally.skipped == 1
    assert await marks(tiny) == {("case.events", 0): 1}


async def test_an_event_that_the_inbox_may_have_forgotten_is_refused(tiny: Pool) -> None:
    old = (NOW - timedelta(days=91)).isoformat().encode()
    message = ended("a", 1)
    records = Slice("channel.chat", 0, [record_of(message, 0, headers=headers_of(message, ce_time=old))])
    consumer = await adopted(a_consumer(tiny, Notes()), records)
    assert (await consumer.settle([records])).tally.dead == 1
    assert await lot(tiny) == [("dead", "invalid_data", 0)]


async def test_large_polls_are_cut_by_bytes(tiny: Pool) -> None:
    notes = Notes()
    slices = [slice_of([progressed(CASES[p], n) for n in range(1, 10)], partition=p) for p in range(2)]
    consumer = a_consumer(tiny, notes)
    consumer.bytes_max = 3 * slices[0].records[0].size
    await adopted(consumer, *slices)

    assert (await consumer.settle(slices)).tally.done == 18

    assert notes.calls == 6
    assert await effects(tiny) == [(str(CASES[p]), n) for p in range(2) for n in range(1, 10)]


async def test_old_claims_are_retired_and_young_ones_stay(tiny: Pool) -> None:
    records = slice_of([ended("a", 1), ended("b", 2)])
    consumer = await adopted(a_consumer(tiny, Notes()), records)
    await consumer.settle([records])

    assert await retire(tiny, SettableClock(NOW + timedelta(days=90)), timedelta(days=90)) == 0
    assert await retire(tiny, SettableClock(NOW + timedelta(days=92)), timedelta(days=90)) == 2
