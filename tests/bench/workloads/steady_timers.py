"""W3: how late are timers that come steadily, 200 a second, while a million others wait, and what does one cost?

Ten times a second twenty are set, each due some seconds later at a moment of its own; the firing loop of production
fires them. What is written to the log ahead, committed and left dead is of both, setting and firing.
"""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.runtime.database import Pool
from services.runtime.timers import Timer, schedule
from tests.bench.processor import each, used
from tests.bench.wheel import Wheel, a_wheel, set_all, spread, timer
from tests.bench.workload import Ground, Measured, percentile

PER_SECOND = 200
PORTION = 20
"""Timers of one transaction that sets them."""
AHEAD_SECONDS = 3.0
"""From setting a timer until it is due."""
SAMPLE_SECONDS = 0.5
USED = """
-- What the server has written and committed so far; commits of readers are among them.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS commits
"""
DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'timers'"


@dataclass(slots=True)
class _Most:
    """The most dead rows of the timers' table at any look."""

    dead: int = 0

    async def watch(self, pool: Pool) -> None:
        while True:
            self.dead = max(self.dead, await pool.fetchval(DEAD))
            await asyncio.sleep(SAMPLE_SECONDS)


async def run(ground: Ground) -> Measured:
    """Watch it once; the time is long enough to speak of percentiles."""
    measured = Measured()
    async with a_wheel(ground, "steady") as wheel:
        await _measure(wheel, measured, ground.size(1_000_000, 200_000), round(ground.seconds(180, 25, 600)))
    return measured


async def _measure(wheel: Wheel, measured: Measured, parked: int, seconds: int) -> None:
    await set_all(wheel, spread("parked", parked, wheel.now() + timedelta(hours=2), timedelta(hours=24)))
    await wheel.pool.execute("VACUUM (ANALYZE) timers")
    await wheel.pool.execute("CHECKPOINT")
    gc.collect()
    total, most = PER_SECOND * seconds, _Most()
    before, processors = await _used(wheel.pool), used({})
    async with wheel.turning(), asyncio.TaskGroup() as group:
        watching = group.create_task(most.watch(wheel.pool))
        await _set_steadily(wheel, total)
        await wheel.fired(total, AHEAD_SECONDS + 30)
        watching.cancel()
    after = await _used(wheel.pool)
    cost = each(processors, used({}), total, 1e6)
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        measured.add(f"W3_lateness_{name}_ms", percentile(wheel.lateness, share) * 1000)
    measured.add("W3_wal_bytes_per_timer", (after[0] - before[0]) / total)
    measured.add("W3_commits_per_timer", (after[1] - before[1]) / total)
    measured.add("W3_dead_tuples_max", most.dead)
    measured.add("W3_cpu_us_per_timer", cost["sum"])
    checked = await wheel.counted(total, parked)
    measured.details = {"seconds": seconds, "parked": parked, "cpu_us_per_timer": cost, "checked": checked}


async def _set_steadily(wheel: Wheel, total: int) -> None:
    """Set so many, a portion at a time; each is due a two-hundredth of a second after the one before."""
    begin, step = wheel.now(), timedelta(seconds=1 / PER_SECOND)
    due = begin + timedelta(seconds=AHEAD_SECONDS)
    for first in range(0, total, PORTION):
        await wheel.wait_until(begin + first * step)
        await _set(wheel, [timer("steady", number, due + number * step) for number in range(first, first + PORTION)])


async def _set(wheel: Wheel, portion: Sequence[Timer]) -> None:
    async with wheel.pool.acquire() as connection, connection.transaction():
        await schedule(connection, portion)


async def _used(pool: Pool) -> tuple[float, float]:
    row = await pool.fetchrow(USED)
    assert row is not None
    return row["wal"], row["commits"]
