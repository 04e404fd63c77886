"""What does a failure mean: for the record in hand, for the service, or for nobody because the server is away?"""

from collections.abc import Sequence

import asyncpg
import pytest

from services.runtime.database import Pool
from services.runtime.errors import StoppedError, TransientError
from services.runtime.failures import PostgresAwayError
from services.runtime.records import Slice
from services.runtime.retrier import retry_due
from services.runtime.work import Outgoing, Work
from tests.support.tiny import (
    CASES,
    CHAT,
    Notes,
    SettableClock,
    a_consumer,
    adopted,
    effects,
    ended,
    lot,
    marks,
    progressed,
    record_of,
    slice_of,
)


async def test_a_conflict_is_tried_again_and_then_parked_for_retry(tiny: Pool) -> None:
    records = slice_of([ended("a", 1), ended("b", 2)])
    notes = Notes({1: lambda: asyncpg.SerializationError("40001")})
    consumer = await adopted(a_consumer(tiny, notes), records)

    await consumer.settle([records])

    assert await effects(tiny) == [("b", 2)]
    assert await lot(tiny) == [("retry", "conflict", 0)]


async def test_a_conflict_that_passes_leaves_no_trace(tiny: Pool) -> None:
    records = slice_of([ended("a", 1), ended("b", 2)])
    left = [TransientError("busy"), asyncpg.DeadlockDetectedError("40P01")]

    async def handler(work: Work) -> Sequence[Outgoing]:
        if left:
            raise left.pop()
        return await Notes()(work)

    consumer = await adopted(a_consumer(tiny, handler), records)

    assert (await consumer.settle([records])).tally.done == 2
    assert await lot(tiny) == []


async def test_many_failures_in_a_row_stop_the_service_and_leave_the_mark(tiny: Pool) -> None:
    records = slice_of([ended(f"c-{number}", number) for number in range(40)])
    notes = Notes(dict.fromkeys(range(40), KeyError))
    consumer = await adopted(a_consumer(tiny, notes, dead_in_a_row_max=10), records)

    with pytest.raises(StoppedError, match="10 records in a row failed"):
        await consumer.settle([records])

    assert len(await lot(tiny)) == 9
    assert await marks(tiny) == {CHAT: 9}


async def test_one_success_starts_the_count_again(tiny: Pool) -> None:
    records = slice_of([ended(f"c-{number}", number) for number in range(40)])
    notes = Notes({number: KeyError for number in range(40) if number % 8})
    consumer = await adopted(a_consumer(tiny, notes, dead_in_a_row_max=10), records)
    assert (await consumer.settle([records])).tally.done == 5


async def test_a_record_that_fails_again_and_again_counts_once(tiny: Pool) -> None:
    clock = SettableClock()
    records = slice_of([ended(f"c-{number}", number) for number in range(4)])
    notes = Notes(dict.fromkeys(range(4), KeyError))
    consumer = await adopted(a_consumer(tiny, notes, clock, dead_in_a_row_max=6), records)
    await consumer.settle([records])

    for _ in range(2):
        clock.pass_by(60)
        await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)

    assert await lot(tiny) == [("dead", "handler_failed", offset) for offset in range(4)]


async def test_unreadable_records_of_our_own_stop_the_service_and_those_of_outsiders_do_not(tiny: Pool) -> None:
    ours = Slice("case.events", 0, [record_of(progressed(CASES[0], n), n, value=b"{") for n in range(12)])
    theirs = Slice("channel.chat", 0, [record_of(ended("a", n), n, value=b"{") for n in range(12)])
    consumer = await adopted(a_consumer(tiny, Notes(), dead_in_a_row_max=10), ours, theirs)

    assert (await consumer.settle([theirs])).tally.dead == 12
    with pytest.raises(StoppedError):
        await consumer.settle([ours])

    assert await marks(tiny) == {CHAT: 12, ("case.events", 0): 0}


@pytest.mark.parametrize(
    "problem",
    [asyncpg.DiskFullError, ConnectionResetError, asyncpg.AdminShutdownError, asyncpg.InternalClientError],
)
async def test_a_server_that_cannot_work_ends_nothing(tiny: Pool, problem: type[Exception]) -> None:
    records = slice_of([ended("a", 1), ended("b", 2)])
    consumer = await adopted(a_consumer(tiny, Notes({1: lambda: problem("gone")})), records)
    with pytest.raises(PostgresAwayError):
        await consumer.settle([records])
    assert await lot(tiny) == []
    assert await marks(tiny) == {CHAT: 0}


async def test_an_error_of_the_operating_system_in_a_handler_is_a_bug(tiny: Pool) -> None:
    records = slice_of([ended("a", 1)])
    consumer = await adopted(a_consumer(tiny, Notes({1: FileNotFoundError})), records)
    assert (await consumer.settle([records])).tally.retry == 1
    assert await lot(tiny) == [("retry", "handler_failed", 0)]
