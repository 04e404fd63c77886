"""W1: how many timers a second can be set, and how many of those that are due fire, with a million waiting?

The limit of setting is ``COPY`` of the same rows into an equal table; the limit of firing is one statement that takes
due rows away and writes one row for each, with nobody between who looks at them.
"""

import time
from collections.abc import Sequence
from datetime import timedelta

from services.runtime.timers import Timer
from tests.bench.processor import each, used
from tests.bench.wheel import BATCH, SETTERS, Wheel, a_wheel, set_all, spread, timer
from tests.bench.workload import Ground, Measured, percentile

DEADLINE_SECONDS = 60.0
TWIN = """
CREATE TABLE twin (LIKE timers INCLUDING ALL);
CREATE TABLE twin_fired (LIKE fired INCLUDING ALL)
"""
COLUMNS = ("timer_id", "due_at", "generation", "kind", "key", "payload")
TAKE = """
WITH due AS (
    SELECT timer_id FROM twin WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM twin USING due WHERE twin.timer_id = due.timer_id RETURNING twin.timer_id, generation, due_at
), told AS (
    INSERT INTO twin_fired (timer_id, generation, due_at) SELECT timer_id, generation, due_at FROM gone RETURNING 1
)
SELECT count(*) FROM told
"""


async def run(ground: Ground) -> Measured:
    """Set a million, spread over a day; then let many be due in one moment and fire."""
    measured = Measured()
    for number in range(ground.runs):
        async with a_wheel(ground, f"wheel{number}") as wheel:
            await _measure(wheel, measured, ground.size(1_000_000, 200_000), ground.size(100_000, 40_000))
    return measured


async def _measure(wheel: Wheel, measured: Measured, parked: int, due: int) -> None:
    day = spread("day", parked, wheel.now() + timedelta(minutes=10), timedelta(hours=24))
    limit = await _copied(wheel, day[: parked // 4])
    before = used({})
    measured.add("W1_timers_scheduled_per_second", await set_all(wheel, day), limit)
    setting = each(before, used({}), parked, 1e6)
    await wheel.pool.execute("CHECKPOINT")
    moment = wheel.now() + timedelta(seconds=2 + due / 40_000)
    now = [timer("now", number, moment) for number in range(due)]
    await set_all(wheel, now)
    async with wheel.turning():
        await wheel.wait_until(moment)
        before = used({})
        await wheel.fired(due, DEADLINE_SECONDS)
    firing = each(before, used({}), due, 1e6)
    assert wheel.last_at is not None
    measured.add("W1_timers_fired_per_second", due / (wheel.last_at - moment).total_seconds(), await _taken(wheel, now))
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        measured.add(f"W1_lateness_{name}_ms", percentile(wheel.lateness, share) * 1000)
    measured.add("W1_cpu_us_per_timer_set", setting["sum"])
    measured.add("W1_cpu_us_per_timer_fired", firing["sum"])
    cost = {"cpu_us_per_timer_set": setting, "cpu_us_per_timer_fired": firing}
    measured.details = {"batch": BATCH, "setters": SETTERS, **cost, "checked": await wheel.counted(due, parked)}


async def _copied(wheel: Wheel, timers: Sequence[Timer]) -> float:
    """Return how many rows a second the same server takes by ``COPY``, a commit for each batch."""
    rows = [
        (each.timer_id, each.due_at, number, each.kind, each.key, each.payload) for number, each in enumerate(timers)
    ]
    async with wheel.pool.acquire() as connection:
        await connection.execute(TWIN)
        began = time.perf_counter()
        for at in range(0, len(rows), BATCH):
            await connection.copy_records_to_table("twin", records=rows[at : at + BATCH], columns=COLUMNS)
        seconds = time.perf_counter() - began
        await connection.execute("TRUNCATE twin")
        await connection.execute("CHECKPOINT")
    return len(rows) / seconds


async def _taken(wheel: Wheel, timers: Sequence[Timer]) -> float:
    """Return how many due rows a second go by one statement per 500 of them."""
    rows = [(each.timer_id, each.due_at, 1, each.kind, each.key, each.payload) for each in timers]
    async with wheel.pool.acquire() as connection:
        await connection.copy_records_to_table("twin", records=rows, columns=COLUMNS)
        await connection.execute("ANALYZE twin")
        began = time.perf_counter()
        while await connection.fetchval(TAKE, wheel.now(), 500):
            pass
        return len(rows) / (time.perf_counter() - began)
