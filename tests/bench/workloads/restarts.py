"""W8: how long does the product take to be itself again when one of its services is killed at half load?

Each service in turn is killed (SIGKILL) while cases begin at half of what the same run reached at saturation. At the
end the whole history is judged as after a row of the fault matrix: a lost or doubled thing is no result.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence

from tests.bench.captured import SERVICES, checked
from tests.bench.workload import Ground, Measured, NoResultError
from tests.bench.workloads.closed_loop import DEADLINE_SECONDS, product, saturate, warmed
from tests.chaos.load import SHARE, STEP_SECONDS, WINDOW_SECONDS, Load, between
from tests.support.driver import Driver, sent_by
from tests.support.history import judge
from tests.support.history.recording import Addresses, quiet, record
from tests.support.killing import kill
from tests.support.system import System

WARM = 300
CASES, CASES_QUICK = 2000, 400
UNDISTURBED_SECONDS = 2.0
"""Before each kill."""
WATCHED_SECONDS, WATCHED_QUICK_SECONDS = 25.0, 8.0
"""From each kill; then the load is waited for until it is steady, at most half as long again."""
QUIET_SECONDS = 60.0


async def run(ground: Ground) -> Measured:
    """Kill each service once."""
    measured = Measured()
    with product(ground) as system:
        driver = await warmed(system, WARM, said=[])
        cases = ground.size(CASES, CASES_QUICK)
        rate = cases / await saturate(driver, cases) / 2
        watched = ground.seconds(WATCHED_SECONDS, WATCHED_QUICK_SECONDS, WATCHED_SECONDS)
        recovery = await _killed_in_turn(system, driver, rate, watched)
        measured.put("W8_recovery_seconds", **recovery)
        found = await _judged(system, driver)
        await driver.stop()
        measured.add("W8_lost", found.pop("lost"))
        measured.add("W8_doubled", found.pop("doubled"))
        measured.details = {"cases_per_second": round(rate, 1), "checked": await checked(system, driver), **found}
    return measured


async def _killed_in_turn(system: System, driver: Driver, rate: float, watched: float) -> Mapping[str, float]:
    """Return the seconds from each kill until cases are closed at 95 % of the rate at which they begin."""
    load = Load(driver, rate, random.Random(0), duplicated=0.0)
    kills: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for service in SERVICES:
            await load.steady(watched / 2)
            await asyncio.sleep(UNDISTURBED_SECONDS)
            kills[service.name] = time.perf_counter()
            await kill(system, service.name)
            await asyncio.sleep(max(0.0, kills[service.name] + watched - time.perf_counter()))
        await load.steady(watched)
        load.ended.set()
    await driver.until_closed(len(driver.journeys), DEADLINE_SECONDS)
    closed = sorted(journey.closed for journey in driver.journeys.values())
    nexts = [*list(kills.values())[1:], closed[-1]]
    return {name: _recovery(name, closed, at, end, rate) for (name, at), end in zip(kills.items(), nexts, strict=True)}


def _recovery(name: str, closed: Sequence[float], at: float, end: float, rate: float) -> float:
    seconds = recovery(closed, at, end, rate)
    if seconds is None:
        raise NoResultError(f"cases were never closed again as fast as they begin after {name} was killed")
    return seconds


def recovery(closed: Sequence[float], at: float, end: float, rate: float) -> float | None:
    """Return the seconds from a kill until cases are closed at 95 % of the rate at which they begin.

    It counts from past the slowest second before ``end``, when the next is killed; 0 when none was slower, ``None``
    when that pace was never reached again. ``closed`` is in order.
    """
    wanted = SHARE * WINDOW_SECONDS * rate
    steps = [at + STEP_SECONDS * step for step in range(int((closed[-1] - at) / STEP_SECONDS))]
    paces = [between(closed, step, step + WINDOW_SECONDS) for step in steps]
    early = paces[: int((end - at - WINDOW_SECONDS) / STEP_SECONDS)]
    if min(early) >= wanted:
        return 0.0
    slowest = early.index(min(early))
    back = [step for step, pace in zip(steps, paces, strict=True) if step > steps[slowest] and pace >= wanted]
    return round(back[0] - at, 1) if back else None


async def _judged(system: System, driver: Driver) -> dict[str, int]:
    """Judge the whole history: anything lost, doubled or out of order is no result."""
    addresses = Addresses(system.kafka, system.postgres, system.sms)
    if not await quiet(addresses, QUIET_SECONDS):
        raise NoResultError(f"the product did not come to rest within {QUIET_SECONDS:.0f} s")
    verdict = await asyncio.to_thread(judge, await record(addresses, sent_by(driver)))
    if verdict.findings:
        raise NoResultError("; ".join(str(finding) for finding in verdict.findings[:3]))
    return {"lost": 0, "doubled": 0, "sent": len(driver.said or ())}
