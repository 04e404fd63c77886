"""W7: does the last quarter of a long mixed load cost what the first did?

Disputes with promises, calls back and milestones (``tests/bench/disputes.py``) begin at an even rate. In the second and
third quarter a reader stands idle in a transaction, so that nothing dead can be swept. What a case costs is taken as
processor time for each case closed: it does not depend on what else the machine does.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import psutil

from services.runtime.settings import STANDARD_POLICY
from tests.bench.captured import SERVICES, checked
from tests.bench.disputes import COMPLAINT, MILESTONES, Disputes
from tests.bench.processor import Used, each, used
from tests.bench.workload import Ground, Measured, NoResultError, percentile
from tests.bench.workloads.closed_loop import DEADLINE_SECONDS, names_of, product, warmed
from tests.chaos.load import Load
from tests.support.driver import Driver, Journey
from tests.support.system import System

PER_SECOND, PER_SECOND_QUICK = 10.0, 8.0
"""Far below what two cores can take: small batches cost far more for each case than the full ones of W4."""
QUARTERS = 4
SETTLING_SECONDS = 10.0
"""Before the first quarter: as many cases must be under way at its beginning as at its end."""
DEMO_POLICY = ("--policy", str(STANDARD_POLICY.with_name("demo.toml")))
SAMPLE_SECONDS = 1.0
DEAD = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables"
ENDED = """
SELECT count(*) FILTER (WHERE type = 'caseloop.case.callback_completed.v1') AS callbacks,
    count(DISTINCT case_id) FILTER (WHERE type = 'caseloop.case.callback_completed.v1') AS callbacks_of,
    count(*) FILTER (WHERE type IN ('caseloop.case.promise_kept.v1', 'caseloop.case.promise_breached.v1')) AS promises,
    count(*) FILTER (WHERE type = 'caseloop.case.milestone_reached.v1') AS milestones
FROM desk.timeline WHERE case_id = ANY ($1::uuid[])
"""


@dataclass(slots=True)
class _Look:
    """The product at the border of two quarters."""

    at: float
    closed: int
    used: Used
    mib: Mapping[str, float]


@dataclass(slots=True)
class _Watch:
    """What is seen of a running load."""

    system: System
    driver: Driver
    looks: list[_Look] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Note what stands now."""
        names = names_of(self.system)
        pids = {service.name: self.system.pid(service.name) for service in SERVICES}
        mib = {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in pids.items()}
        self.looks.append(_Look(time.perf_counter(), self.driver.closed, used(names), mib))

    async def count_dead(self) -> None:
        """Note the dead rows of all tables, again and again."""
        connection = await asyncpg.connect(self.system.postgres)
        try:
            while True:
                self.dead.append(await connection.fetchval(DEAD))
                await asyncio.sleep(SAMPLE_SECONDS)
        finally:
            await connection.close()

    def costs(self) -> list[dict[str, float]]:
        """Return the milliseconds of the processors for a case, by process, of each quarter."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [each(before.used, after.used, after.closed - before.closed, 1000) for before, after in pairs]

    def slowest(self) -> list[float]:
        """Return the p99 of the milliseconds from contact to close of the cases closed in each quarter."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [percentile(self._took(before.at, after.at), 0.99) for before, after in pairs]

    def _took(self, begin: float, end: float) -> list[float]:
        done: list[Journey] = [j for j in self.driver.journeys.values() if begin <= j.closed < end]
        return [1000 * (journey.closed - journey.sent) for journey in done]


async def run(ground: Ground) -> Measured:
    """Watch one long load."""
    seconds = ground.seconds(480, 36, 3600)
    with product(ground, *DEMO_POLICY) as system:
        driver = await warmed(system, 200)
        disputes = Disputes(driver)
        driver.closing, driver.heard = False, disputes.heard
        watch, known = _Watch(system, driver), len(driver.journeys)
        rate = PER_SECOND_QUICK if ground.quick else PER_SECOND
        await _loaded(watch, disputes, rate, seconds)
        measured = _report(watch)
        measured.details["notes"] = [_told(seconds, rate, measured.details["cpu_ms_per_case"])]
        measured.details["checked"] = {
            **await checked(system, driver), **await _ended(system, driver, len(driver.journeys) - known, disputes),
        }  # fmt: skip
        await driver.stop()
    return measured


async def _loaded(watch: _Watch, disputes: Disputes, rate: float, seconds: float) -> None:
    load = Load(watch.driver, rate, random.Random(0), duplicated=0.0, text=COMPLAINT)
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(load.run())
        beside = [group.create_task(disputes.call()), group.create_task(watch.count_dead())]
        await asyncio.sleep(SETTLING_SECONDS)
        watch.look()
        await _quarters(watch, 1, seconds)
        async with _idle_in_transaction(watch.system.postgres):
            await _quarters(watch, 2, seconds)
        await _quarters(watch, 1, seconds)
        load.ended.set()
        await begun
        await watch.driver.until_closed(len(watch.driver.journeys), DEADLINE_SECONDS)
        await watch.driver.until_quiet(DEADLINE_SECONDS)
        for task in beside:
            task.cancel()


async def _quarters(watch: _Watch, number: int, seconds: float) -> None:
    for _ in range(number):
        await asyncio.sleep(seconds / QUARTERS)
        watch.look()


@asynccontextmanager
async def _idle_in_transaction(postgres: str) -> AsyncIterator[None]:
    """Hold a snapshot, as a report that nobody ended does."""
    connection = await asyncpg.connect(postgres)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.fetchval("SELECT count(*) FROM router.cases")
        yield
    await connection.close()


def _report(watch: _Watch) -> Measured:
    measured = Measured()
    costs, slowest = watch.costs(), watch.slowest()
    measured.put("W7_cpu_ms_per_case", **_drift([each["sum"] for each in costs]))
    measured.put("W7_closed_p99_ms", **_drift(slowest))
    first, last = watch.looks[1].mib, watch.looks[-1].mib
    measured.put("W7_memory_grown_mib", **{name: round(last[name] - first[name], 1) for name in first})
    measured.put("W7_memory_ratio", **{name: round(last[name] / first[name], 3) for name in first})
    measured.put("W7_dead_tuples", most=max(watch.dead), last=watch.dead[-1])
    measured.details = {"cpu_ms_per_case": costs, "memory_mib": [dict(look.mib) for look in watch.looks]}
    return measured


def _told(seconds: float, rate: float, costs: Sequence[Mapping[str, float]]) -> str:
    """Return how long it was, and what the idle reader of the middle quarters cost."""
    quarters = ", ".join(f"{each['postgres']:.0f}" for each in costs)
    return (
        f"{seconds / 60:g} minutes at {rate:.0f} cases a second; in the second and third quarter a reader stands "
        f"idle in a transaction. PostgreSQL's milliseconds for a case, quarter by quarter: {quarters}."
    )


def _drift(quarters: list[float]) -> dict[str, float]:
    """Return the first, the last, and the last beside the first."""
    first, last = quarters[0], quarters[-1]
    return {"first": round(first, 2), "last": round(last, 2), "ratio": round(last / first, 3)}


async def _ended(system: System, driver: Driver, cases: int, disputes: Disputes) -> dict[str, int]:
    """Count what the journal says came to an end; each thing must have done so once in each case."""
    connection = await asyncpg.connect(system.postgres)
    ids = driver.own_cases()[-cases:]
    found = dict(await connection.fetchrow(ENDED, ids) or {})
    await connection.close()
    wanted = {"callbacks": cases, "callbacks_of": cases, "promises": cases, "milestones": cases * len(MILESTONES)}
    if found != wanted:
        raise NoResultError(f"{found} in the journal of {cases} disputes, {wanted} would be right")
    return found | {kind: disputes.ends[kind] for kind in ("promise_kept", "promise_breached")}
