"""W6: how many jobs a second does the runtime burn down, when a job does nothing?

A job is a timer that is due: one durable row with what is to be done, claimed by the firing loop of production, handed
to a handler through the same transaction as every message, and taken away by the commit. The handler does nothing, as
in the tests that job queues publish of themselves. The limit takes the same rows away, a thousand at a time, and looks
at none.

Each transaction takes away exactly the rows that it handled, or is undone; so as many handled as were set, and none
left, means that each was handled once.
"""

import time
from collections.abc import Sequence
from datetime import timedelta

from services.runtime.firing import BATCH_MAX
from services.runtime.timers import Timer
from tests.bench.processor import each, used
from tests.bench.wheel import Wheel, a_wheel, set_all, timer
from tests.bench.workload import Ground, Measured, NoResultError

JOBS, JOBS_QUICK = 1_000_000, 100_000
DEADLINE_SECONDS = 120.0
LEFT = "SELECT (SELECT count(*) FROM timers) AS waiting, (SELECT count(*) FROM parked) AS parked"
TAKE = """
WITH due AS (
    SELECT timer_id FROM timers WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM timers USING due WHERE timers.timer_id = due.timer_id RETURNING kind, key, payload
)
SELECT count(*) FROM gone
"""


async def run(ground: Ground) -> Measured:
    """Burn them down as often as wanted, after the limit has taken a part of as many."""
    measured = Measured()
    jobs = ground.size(JOBS, JOBS_QUICK)
    for number in range(ground.runs):
        async with a_wheel(ground, f"jobs{number}", effect=False) as wheel:
            await _measure(wheel, measured, jobs)
    return measured


async def _measure(wheel: Wheel, measured: Measured, jobs: int) -> None:
    due = wheel.now() - timedelta(hours=1)
    waiting = [timer("job", number, due) for number in range(jobs)]
    limit = await _taken(wheel, waiting[: jobs // 4])
    await _filled(wheel, waiting)
    before, began = used({}), time.perf_counter()
    async with wheel.turning():
        await wheel.fired(jobs, DEADLINE_SECONDS)
    measured.add("W6_jobs_per_second", jobs / (time.perf_counter() - began), limit)
    cost = each(before, used({}), jobs, 1e6)
    measured.add("W6_cpu_us_per_job", cost["sum"])
    measured.details = {"jobs": jobs, "cpu_us_per_job": cost, "checked": await _counted(wheel, jobs)}


async def _filled(wheel: Wheel, waiting: Sequence[Timer]) -> None:
    await set_all(wheel, waiting)
    await wheel.pool.execute("VACUUM (ANALYZE) timers")
    await wheel.pool.execute("CHECKPOINT")


async def _taken(wheel: Wheel, waiting: Sequence[Timer]) -> float:
    """Return how many rows a second go when nobody looks at them."""
    await _filled(wheel, waiting)
    began = time.perf_counter()
    while await wheel.pool.fetchval(TAKE, wheel.now(), BATCH_MAX):
        pass
    rate = len(waiting) / (time.perf_counter() - began)
    await wheel.pool.execute("TRUNCATE timers")
    return rate


async def _counted(wheel: Wheel, jobs: int) -> dict[str, int]:
    """Count what was handled and what is left; anything else than all and nothing is no result."""
    found = {"handled": len(wheel.lateness), **dict(await wheel.pool.fetchrow(LEFT) or {})}
    wanted = {"handled": jobs, "waiting": 0, "parked": 0}
    if found != wanted:
        raise NoResultError(f"{found} in the tables, {wanted} would be right")
    return found
