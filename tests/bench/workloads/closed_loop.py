"""W4: how many cases a second go from the first chat message to the close, and how soon has one a handler?

All five services consume everything that they consume in production; a driver that follows ``case.events`` sends what
people would.
"""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from services.runtime.records import Record
from tests.bench import rawkafka, rawrows
from tests.bench.captured import SERVICES, Mark, by_topic, checked, is_ours, mark, records
from tests.bench.customers import Customers
from tests.bench.limit import Counts, Limit, Sample, deliveries, measure
from tests.bench.processor import each, used
from tests.bench.workload import Ground, Measured, NoResultError, percentile
from tests.chaos.load import Load
from tests.support.driver import DEPARTMENTS, Driver, Journey
from tests.support.memory import resident, watching
from tests.support.system import AWAKE, System, running_system

READERS = Counter(topic for service in SERVICES for topic in service.topics)
"""How many of our services read a topic; the driver reads the journal, too."""
FACTS = ("case.events", "followups", "notifications")
"""Whose records are durable facts."""
DEADLINE_SECONDS = 300.0
ONE_BROKER = {"CASELOOP_TOPIC_REPLICATION": "1"}
CASES = 3000
ALONE = 60
WARM = 300
RESTED_SECONDS = 0.05
RAW = (
    "`alone_to_raw`: beside three records produced and consumed and two commits, one right after the other; "
    "`alone_to_raw_rested`: each of them after 50 ms in which nothing happens, since a case that comes alone meets "
    "cold caches and processors asleep, too."
)
SETTLING_SECONDS = 2.0
"""Of a steady load: who begins before then is not judged."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One run at saturation."""

    cases: int
    seconds: float
    cost: Mapping[str, float]
    """Milliseconds of the processors for one case, by process."""
    mib: Mapping[str, int]
    """The most that each service had resident."""
    before: Mark
    after: Mark

    @property
    def rate(self) -> float:
        """Return cases a second from the first contact to the last close."""
        return self.cases / self.seconds


async def run(ground: Ground) -> Measured:
    """Measure cases one by one, then one saturation run, then a steady load of half as many."""
    with product(ground) as system:
        measured = Measured(environment={"start_seconds": round(system.started_seconds, 2)})
        driver = await warmed(system, WARM)
        singles = await one_by_one(driver, ground.alone or ground.size(ALONE, 30))
        run = await _saturated(system, driver, ground.cases or ground.size(CASES, 1500))
        sample = Sample(await records(system, run.before.ends, run.after.ends), SERVICES, rawrows.ROUTER)
        half = await steady(driver, run.rate / 2, ground.size(30, 12))
        limit = await measure(system.kafka, system.postgres, ground.scratch, sample)
        raw = await _raw(system, sample.records[0]), await _raw(system, sample.records[0], RESTED_SECONDS)
        await driver.stop()
        _report_run(measured, run, sample, limit)
        _report_latency(measured, singles, half, raw)
        measured.details["checked"] = await checked(system, driver)
        return measured


@contextmanager
def product(ground: Ground, *policy: str, postgres: str = "", **environment: str) -> Iterator[System]:
    """Run all five services on these servers, or in another database."""
    addresses = ("--kafka", ground.kafka, "--postgres", postgres or ground.postgres)
    folder = ground.scratch / f"up-{uuid4().hex[:8]}"
    with running_system(folder, *addresses, *(policy or AWAKE), environment=ONE_BROKER | environment) as system:
        yield system


async def warmed(system: System, cases: int, **given: Any) -> Driver:  # noqa: ANN401 - fields of a driver
    """Return a driver with agents at work, when so many cases are over: statements are compiled then."""
    driver = Driver(system.kafka, uuid4().hex[:8], **given)
    await driver.start()
    await driver.agents(4, DEPARTMENTS)
    await saturate(driver, cases)
    await driver.until_quiet(DEADLINE_SECONDS)
    return driver


async def _saturated(system: System, driver: Driver, cases: int) -> _Run:
    names = names_of(system)
    looks = {service.name: resident(system.present_pid(service.name)) for service in SERVICES}
    before, processors = await mark(system), used(names)
    async with watching(looks) as mib:
        seconds = await saturate(driver, cases)
    cost = each(processors, used(names), cases, 1000)
    await driver.until_quiet(DEADLINE_SECONDS)
    return _Run(cases, seconds, cost, dict(mib), before, await mark(system))


def names_of(system: System) -> dict[int, str]:
    """Return who the product's processes are, by process id."""
    return {pid: name for name, pid in system.ready["pids"].items()}


async def saturate(customers: Customers, cases: int) -> float:
    """Send as fast as they are taken and return the seconds from the first contact to the last close."""
    goal, began = customers.closed + cases, time.perf_counter()
    deadline = began + DEADLINE_SECONDS
    for _ in range(cases):
        await customers.contact()
    try:
        await customers.until_closed(goal, deadline - time.perf_counter())
    except TimeoutError:
        message = f"only {customers.closed} of {goal} cases closed after {DEADLINE_SECONDS:.0f} s"
        raise NoResultError(message) from None
    return time.perf_counter() - began


async def one_by_one(customers: Customers, cases: int) -> list[Journey]:
    """Send each case when the one before is over."""
    done: list[Journey] = []
    for _ in range(cases):
        goal = customers.closed + 1
        name = await customers.contact()
        await customers.until_closed(goal, DEADLINE_SECONDS)
        await customers.until_quiet(DEADLINE_SECONDS)
        done.append(customers.journeys[name])
    return done


async def steady(driver: Driver, rate: float, seconds: float) -> list[Journey]:
    """Begin so many cases a second and return the journeys of all but the first, when all are over."""
    known = set(driver.journeys)
    load = Load(driver, rate, random.Random(0), duplicated=0.0)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await asyncio.sleep(seconds)
        load.ended.set()
    await driver.until_closed(len(driver.journeys), DEADLINE_SECONDS)
    await driver.until_quiet(DEADLINE_SECONDS)
    begun = [journey for name, journey in driver.journeys.items() if name not in known]
    settled = min(journey.sent for journey in begun) + SETTLING_SECONDS
    return [journey for journey in begun if journey.sent >= settled]


async def _raw(system: System, record: Record, rest: float = 0.0) -> float:
    """Return the seconds that no design of three hops can avoid until a case has its handler: two commits between.

    Hop after hop without a pause, or each after a rest: then caches are cold and processors asleep, as they are for a
    case that comes alone.
    """
    ping = await rawkafka.ping_seconds(system.kafka, record, rest)
    return 3 * ping + 2 * await rawrows.commit_seconds(system.postgres, rest)


def _report_run(measured: Measured, run: _Run, sample: Sample, limit: Limit) -> None:
    wanted, per_case = deliveries(sample), by_topic(sample.records, run.cases)
    counts = Counts(
        consumed=sum(number * (READERS[topic] + (topic == "case.events")) for topic, number in per_case.items()),
        decoded=sum(wanted.values()) / run.cases,
        encoded=sum(is_ours(record) for record in sample.records) / run.cases,
        produced=len(sample.records) / run.cases,
        busiest=max(wanted.values()) / run.cases,
        changed=(run.after.changes - run.before.changes) / run.cases,
    )
    best = limit.per_second(counts)
    measured.add("W4_cases_per_second", run.rate, best)
    facts = sum(per_case.get(topic, 0) for topic in FACTS)
    measured.add("W4_facts_per_second", run.rate * facts)
    measured.put("W4_cpu_ms_per_case", **run.cost)
    measured.put("W4_memory_mib", **run.mib)
    measured.details |= {
        "cases": run.cases,
        "records_per_case": per_case,
        "raw_rates": limit.rates(),
        "wal_bytes_per_row_operation": limit.rows.wal_bytes,
        "limit_counts_per_case": {
            **{key: round(value or 0, 1) for key, value in asdict(counts).items()},
            "rows": counts.rows,
        },
        "limit_ms_per_case": {name: round(1000 * part, 3) for name, part in limit.seconds(counts).items()},
    }


def _report_latency(
    measured: Measured, singles: Sequence[Journey], half: Sequence[Journey], raw: tuple[float, float]
) -> None:
    assigned = [(each.assigned - each.sent) * 1000 for each in singles]
    measured.put("W4_alone_assigned_ms", **_spread(assigned))
    measured.put("W4_alone_closed_ms", **_spread((each.closed - each.sent) * 1000 for each in singles))
    measured.add("W4_alone_to_raw", statistics.median(assigned) / (1000 * raw[0]))
    measured.add("W4_alone_to_raw_rested", statistics.median(assigned) / (1000 * raw[1]))
    moments = {
        "assigned": [(each.assigned - each.sent) * 1000 for each in half],
        "closed": [(each.closed - each.sent) * 1000 for each in half],
    }
    measured.put(
        "W4_half_load_ms",
        **{
            f"{name}_{title}": round(percentile(took, share), 1)
            for name, took in moments.items()
            for title, share in (("p50", 0.5), ("p99", 0.99))
        },
    )
    measured.details |= {"half_load_cases": len(half), "raw_ms": [round(1000 * each, 2) for each in raw]}
    measured.details["notes"] = [RAW]


def _spread(milliseconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {"p50": round(statistics.median(ordered), 1), "max": round(ordered[-1], 1), "runs": len(ordered)}
