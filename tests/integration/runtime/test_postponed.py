"""What if one message of a batch waits for another that is on its way: who waits with it?"""

from collections.abc import Sequence
from datetime import timedelta

from services.runtime.database import Pool
from services.runtime.retrier import retry_due
from services.runtime.work import Outgoing, Work
from tests.support.tiny import (
    CHAT,
    Notes,
    SettableClock,
    a_consumer,
    adopted,
    effects,
    ended,
    lot,
    marks,
    number_of,
    slice_of,
)

EARLY = {3, 5}
"""Both of one conversation: the second must not overtake the first."""


class Waiting:
    """A handler that cannot do the early ones before it is told to."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.batches: list[int] = []
        self.ready = False

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        self.batches.append(len(work.received))
        early = [each for each in work.received if not self.ready and number_of(each.message) in EARLY]
        for received in early:
            work.postpone(received, "what it is about is not here yet")
        rest = [each for each in work.received if each not in early]
        return await self.notes(Work(work.connection, rest, work.now))


async def test_only_the_early_ones_wait_and_come_in_order_with_a_claim_of_their_own(tiny: Pool) -> None:
    records = slice_of([ended("early" if number in EARLY else f"c-{number}", number) for number in range(8)])
    handler, clock = Waiting(), SettableClock()
    consumer = await adopted(a_consumer(tiny, handler, clock), records)

    tally = (await consumer.settle([records])).tally

    assert (tally.done, tally.retry, handler.batches) == (6, 2, [8])
    assert [number for _, number in await effects(tiny)] == [0, 1, 2, 4, 6, 7]
    assert await lot(tiny) == [("retry", "conflict", 3), ("retry", "behind", 5)]
    assert await marks(tiny) == {CHAT: 8}

    handler.ready = True
    clock.pass_by(timedelta(minutes=1).total_seconds())
    await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)
    assert [number for _, number in await effects(tiny)] == [0, 1, 2, 4, 6, 7, 3, 5]


async def test_waiting_behind_another_is_no_attempt(tiny: Pool) -> None:
    """Whoever stood behind has all its attempts when its own turn comes."""
    records = slice_of([ended("early", 3), ended("early", 5)])
    handler, clock = Waiting(), SettableClock()
    consumer = await adopted(a_consumer(tiny, handler, clock), records)
    await consumer.settle([records])
    clock.pass_by(60)
    await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)
    attempts = await tiny.fetch("SELECT attempt FROM parked ORDER BY parked_id")
    assert [row["attempt"] for row in attempts] == [2, 0]


async def test_what_waits_for_another_waits_until_it_has_come(tiny: Pool) -> None:
    """However long that takes: nobody else would bring it back."""
    records = slice_of([ended("early", 3)])
    handler, clock = Waiting(), SettableClock()
    consumer = await adopted(a_consumer(tiny, handler, clock), records)
    await consumer.settle([records])
    for _ in range(8):
        clock.pass_by(60)
        await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)
    assert await lot(tiny) == [("retry", "conflict", 0)]

    handler.ready = True
    clock.pass_by(60)
    await retry_due(consumer.processing, tiny, consumer.open_record, consumer.keep)
    assert [number for _, number in await effects(tiny)] == [3]
