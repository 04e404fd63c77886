"""Is nothing missed by looks that begin where the last one ended?"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from contracts.message import derived_id
from services.notify.handlers.dispatch import Dispatcher
from services.notify.settings import NotifySettings
from services.runtime import timers
from services.runtime.database import Connection
from services.runtime.looking import BACK
from services.runtime.timers import Timer
from services.runtime.work import Outgoing
from tests.integration.notify.stand import MovedClock, Stand, standing
from tests.integration.notify.test_dispatching import case

BEGAN = datetime(2026, 11, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
CASES = 3


@pytest.fixture
async def notify(postgres_database: str) -> AsyncIterator[Stand]:
    async with standing(postgres_database, clock=MovedClock(BEGAN)) as stand:
        yield stand


async def dispatcher_of(notify: Stand) -> Dispatcher:
    """Return a dispatcher that has looked once, and nothing was there; some messages are due, and not just now."""
    context, clock = notify.context, notify.context.clock
    assert isinstance(clock, MovedClock)
    dispatcher = Dispatcher(context, context.settings_as(NotifySettings), None, notify.queued)
    assert await dispatcher._take(CASES) == 0
    for number in range(CASES):
        await notify.hear(*case(number), cause=str(number))
    clock.at += 2 * BACK
    return dispatcher


async def test_what_a_dispatcher_had_no_room_for_is_taken_by_the_next_look(notify: Stand) -> None:
    dispatcher = await dispatcher_of(notify)
    assert await dispatcher._take(1) == 1
    assert await dispatcher._take(CASES) == CASES - 1


async def test_what_waits_for_a_provider_who_pauses_is_taken_when_he_is_back(notify: Stand) -> None:
    dispatcher = await dispatcher_of(notify)
    dispatcher.not_before = BEGAN + HOUR
    assert await dispatcher._take(CASES) == 0
    dispatcher.not_before = None
    assert await dispatcher._take(CASES) == CASES


async def test_what_a_long_transaction_queued_is_taken_by_the_look_that_it_rings_for(notify: Stand) -> None:
    clock = notify.context.clock
    assert isinstance(clock, MovedClock)
    dispatcher = Dispatcher(notify.context, notify.context.settings_as(NotifySettings), None, notify.queued)
    clock.at += 2 * BACK
    assert await dispatcher._take(CASES) == 0
    clock.at -= 2 * BACK
    await notify.hear(*case())  # as by a transaction that began then
    clock.at += 2 * BACK
    assert await dispatcher._take(CASES) == 1


async def test_a_timer_that_was_due_long_ago_is_looked_for(notify: Stand) -> None:
    looks, now = notify.context.timers_due.looks, BEGAN
    looks.since(now)
    looks.seen(now)

    async def set_late(connection: Connection, now: datetime) -> Sequence[Outgoing]:
        await timers.schedule(connection, [Timer(derived_id("late"), now - HOUR, "tick", "key", {})])
        return ()

    await notify.context.transact(set_late)
    assert looks.since(now) <= now - HOUR
