"""W2: how late is the last of many timers that are due in one instant, when half of them are moved or cancelled?

A second before the instant a quarter is cancelled and a quarter is moved to two seconds later, in transactions like
those of handlers. Nothing may fire that was cancelled, nothing at its old moment that was moved.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.timers import Timer, cancel, schedule
from tests.bench.wheel import Wheel, a_wheel, timer
from tests.bench.workload import Ground, Measured, NoResultError, percentile

TIMERS = 20_000
PORTION = 250
"""Timers of one transaction that moves or cancels."""
HANDS = 4
"""Connections that do so at a time."""
WRONG = """
SELECT count(*) FILTER (WHERE timer_id = ANY ($1::uuid[])) AS cancelled,
    count(*) FILTER (WHERE timer_id = ANY ($2::uuid[]) AND due_at <> $3) AS at_the_old_moment
FROM fired
"""
Act = Callable[[Connection, Sequence[Timer]], Coroutine[Any, Any, None]]


async def run(ground: Ground) -> Measured:
    """Play it as often as wanted."""
    measured = Measured()
    for number in range(ground.runs):
        async with a_wheel(ground, f"storm{number}") as wheel:
            await _measure(wheel, measured)
    return measured


async def _measure(wheel: Wheel, measured: Measured) -> None:
    moment = wheel.now() + timedelta(seconds=4)
    timers = [timer("storm", number, moment) for number in range(TIMERS)]
    await _by_hands(wheel, timers, schedule)
    later = moment + timedelta(seconds=2)
    cancelled, moved = timers[0::4], [replace(each, due_at=later) for each in timers[1::4]]
    async with wheel.turning():
        await wheel.wait_until(moment - timedelta(seconds=1))
        await _by_hands(wheel, cancelled, _cancel)
        await _by_hands(wheel, moved, schedule)
        changed_in = 1 - (moment - wheel.now()).total_seconds()
        await wheel.fired(TIMERS - len(cancelled), 30)
    measured.add("W2_lateness_p99_ms", percentile(wheel.lateness, 0.99) * 1000)
    measured.add("W2_lateness_p50_ms", percentile(wheel.lateness, 0.5) * 1000)
    measured.add("W2_lateness_max_ms", percentile(wheel.lateness, 1.0) * 1000)
    measured.add("W2_fired_after_cancel", await _wrong(wheel, cancelled, moved))
    checked = await wheel.counted(TIMERS - len(cancelled), 0)
    measured.details = {"changed_within_seconds": round(changed_in, 2), "checked": checked}


async def _cancel(connection: Connection, timers: Sequence[Timer]) -> None:
    await cancel(connection, [each.timer_id for each in timers])


async def _by_hands(wheel: Wheel, timers: Sequence[Timer], act: Act) -> None:
    portions = iter([timers[at : at + PORTION] for at in range(0, len(timers), PORTION)])

    async def hand() -> None:
        for portion in portions:
            async with wheel.pool.acquire() as connection, connection.transaction():
                await act(connection, portion)

    async with asyncio.TaskGroup() as group:
        for _ in range(HANDS):
            group.create_task(hand())


async def _wrong(wheel: Wheel, cancelled: Sequence[Timer], moved: Sequence[Timer]) -> int:
    """Return how many fired although they were cancelled: none, or there is no result."""
    ids: list[UUID] = [each.timer_id for each in moved]
    row = await wheel.pool.fetchrow(WRONG, [each.timer_id for each in cancelled], ids, moved[0].due_at)
    assert row is not None
    if any(row.values()):
        raise NoResultError(f"{dict(row)} fired")
    return int(row["cancelled"])
