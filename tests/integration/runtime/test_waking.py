"""Is a look at the outbox or at the timers, a round trip each, asked for only after a commit that left work there?"""

from datetime import timedelta

import pytest

from contracts.message import derived_id
from services.runtime import firing, timers
from services.runtime.database import Pool
from services.runtime.fresh import STORED
from services.runtime.looking import LookBack
from services.runtime.timers import Timer
from services.runtime.work import Outgoing, Work
from tests.support.floor import NOW, outbox_ids
from tests.support.tiny import SettableClock, a_processing, ended


def tick(name: str, seconds: float) -> Timer:
    return Timer(derived_id("tick", name), NOW + timedelta(seconds=seconds), "tick", name, {})


async def told(tiny: Pool, *settings: Timer, said: int = 0) -> list[tuple[int, bool]]:
    """Fire a timer whose handler sets these timers and says so much, and return what is told after the commit."""
    heard: list[tuple[int, bool]] = []

    async def handler(work: Work) -> list[Outgoing]:
        await timers.schedule(work.connection, settings)
        return [Outgoing(ended("c", number), derived_id("said", number)) for number in range(said)]

    def committed(count: int) -> None:
        heard.append((count, timers.soonest(NOW) is not None))

    async with tiny.acquire() as connection, connection.transaction():
        await timers.schedule(connection, [tick("first", 0)])
    processing = a_processing(tiny, handler, SettableClock(), committed=committed)
    assert await firing.fire_due(processing, tiny, processing.log, LookBack()) == 0
    return heard


async def test_a_commit_that_left_nothing_wakes_nobody(tiny: Pool) -> None:
    assert await told(tiny) == [(0, False)]


async def test_the_relay_is_told_how_much_was_said(tiny: Pool) -> None:
    assert await told(tiny, said=3) == [(3, False)]


@pytest.mark.parametrize(("seconds", "woken"), [(0.0, True), (firing.IDLE_SECONDS, True), (0.3, False), (3600, False)])
async def test_timers_are_looked_at_when_one_is_due_before_the_next_look(
    tiny: Pool,
    seconds: float,
    *,
    woken: bool,
) -> None:
    assert await told(tiny, tick("next", seconds)) == [(0, woken)]


async def test_the_earliest_of_all_that_were_set_counts(tiny: Pool) -> None:
    assert await told(tiny, tick("late", 60), tick("soon", 0.1), tick("later", 90)) == [(0, True)]


async def test_what_is_known_after_a_commit_is_what_it_stored_and_no_more(tiny: Pool) -> None:
    known: list[set[int]] = []

    async def handler(_work: Work) -> list[Outgoing]:
        return [Outgoing(ended("c", number), derived_id("said", number)) for number in range(3)]

    processing = a_processing(
        tiny, handler, SettableClock(), committed=lambda _said: known.append(set(STORED.get() or ()))
    )
    for name in ("first", "second"):
        async with tiny.acquire() as connection, connection.transaction():
            await timers.schedule(connection, [tick(name, 0)])
        await firing.fire_due(processing, tiny, processing.log, LookBack())
    first, second = known
    assert first
    assert second
    assert sorted(first | second) == await outbox_ids(tiny)
    assert not first & second
