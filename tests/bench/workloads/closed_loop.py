"""W4: how many cases a second go from the first chat message to the close, and how soon has one a handler?

All five services consume everything that they consume in production; a driver that follows ``case.events`` sends what
people would.
"""

import os
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.customers import Customers
from tests.bench.limit import Limit, measure
from tests.bench.processor import each, used
from tests.bench.workload import Ground, Measured, NoResultError
from tests.support.driver import DEPARTMENTS, Driver, Journey
from tests.support.system import AWAKE, System, running_system

TOPICS = (
    "contacts",
    "case.events",
    "case.snapshots",
    "followups",
    "notifications",
    "channel.outbound",
    "channel.receipts",
    "case.commands",
)
READERS = {
    "contacts": 3,
    "case.events": 5,
    "followups": 3,
    "notifications": 2,
    "channel.receipts": 2,
    "case.commands": 1,
}
"""How many consumers read a topic: our readers, and the driver on the journal."""
FACTS = ("case.events", "followups", "notifications")
"""Whose records are durable facts."""
DEADLINE_SECONDS = 300.0
ONE_BROKER = {"CASELOOP_TOPIC_REPLICATION": "1"}
CASES = 3000
ALONE = 60


async def run(ground: Ground) -> Measured:
    """Measure one saturation run, and cases one by one before it."""
    with product(ground) as system:
        cases, alone = ground.cases or ground.size(CASES, 1500), ground.alone or ground.size(ALONE, 30)
        return await _bench(system, cases, alone)


@contextmanager
def product(ground: Ground) -> Iterator[System]:
    """Run all five services on these servers."""
    addresses = ("--kafka", ground.kafka, "--postgres", ground.postgres)
    with running_system(ground.scratch / "up", *addresses, *AWAKE, environment=ONE_BROKER) as system:
        yield system


async def warmed(system: System, cases: int) -> Driver:
    """Return a driver with agents at work, when so many cases are over: statements are compiled then."""
    driver = Driver(system.kafka, uuid4().hex[:8])
    await driver.start()
    await driver.agents(4, DEPARTMENTS)
    await saturate(driver, cases)
    await driver.until_quiet(DEADLINE_SECONDS)
    return driver


async def _bench(system: System, cases: int, alone: int) -> Measured:
    driver = await warmed(system, 300)
    singles = await one_by_one(driver, alone)
    names = {pid: name for name, pid in system.ready["pids"].items()}
    before, known = used(names), await ends(system)
    seconds = await saturate(driver, cases)
    after = used(names)
    counts, values = await _records(system, known)
    await driver.stop()
    limit = await measure(system.kafka, system.postgres, values[:20_000])
    checked = await _checked(system, driver)
    return _report(system, cases, seconds, singles, each(before, after, cases, 1000), counts, limit, checked)


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


async def ends(system: System) -> dict[TopicPartition, int]:
    """Return how many records each place of a topic has had."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    parts = [
        TopicPartition(topic, part) for topic in TOPICS for part in consumer.partitions_for_topic(topic) or range(12)
    ]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(parts)
    await consumer.stop()
    return ends


async def _records(system: System, since: dict[TopicPartition, int]) -> tuple[Counter[str], list[bytes]]:
    """Return how many records each topic got since then, and their values."""
    until = await ends(system)
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    grown = [part for part in until if until[part] > since[part]]
    consumer.assign(grown)
    for part in grown:
        consumer.seek(part, since[part])
    counts: Counter[str] = Counter()
    values: list[bytes] = []
    total = sum(until[part] - since[part] for part in grown)
    while sum(counts.values()) < total:
        for part, records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).items():
            counts[part.topic] += len(records)
            values.extend(record.value or b"" for record in records)
    await consumer.stop()
    return counts, values


async def _checked(system: System, driver: Driver) -> dict[str, int]:
    """Count in the provider's log and the tables; a run with a lost or doubled case is no result."""
    async with httpx.AsyncClient(timeout=60) as client:
        accepted = (await client.get(f"{system.sms}/messages")).json()
    messages = accepted["messages"] if isinstance(accepted, dict) else accepted
    references = [message["client_reference"] for message in messages]
    connection = await asyncpg.connect(system.postgres)
    closed = await connection.fetchval("SELECT count(*) FROM router.cases WHERE state = 'closed'")
    facts = await connection.fetchval("SELECT count(*) FROM router.cases")
    await connection.close()
    if len(references) != len(set(references)) or closed != driver.closed or facts != len(driver.journeys):
        raise NoResultError(
            f"{closed} closed and {facts} opened in the database, {driver.closed} of "
            f"{len(driver.journeys)} seen closed, {len(references)} SMS of {len(set(references))} references"
        )
    return {"cases": facts, "closed": closed, "sms_accepted": len(references)}


def _report(  # noqa: PLR0917 - one document of all that was measured
    system: System,
    cases: int,
    seconds: float,
    singles: list[Journey],
    cpu: dict[str, float],
    counts: Counter[str],
    limit: Limit,
    checked: dict[str, int],
) -> Measured:
    per_case = {topic: round(counts[topic] / cases, 2) for topic in sorted(counts)}
    produced = sum(per_case.values()) + 1
    consumed = sum(per_case[topic] * READERS.get(topic, 0) for topic in per_case) + 1
    rows = 2 * (per_case.get("contacts", 0) + per_case.get("case.events", 0)) + per_case.get("case.commands", 0)
    best = limit.per_second(produced, consumed, consumed / 2, rows, os.cpu_count() or 1)
    rate = cases / seconds
    facts = sum(per_case.get(topic, 0) for topic in FACTS)
    measured = Measured(environment={"start_seconds": round(system.started_seconds, 2)})
    measured.put(
        "W4_cases_per_second",
        product=round(rate, 1),
        limit=round(best, 1),
        ratio=round(rate / best, 3),
        cases=cases,
    )
    measured.put("W4_facts_per_second", product=round(rate * facts, 1))
    measured.put("W4_alone_assigned_ms", **_spread((each.assigned - each.sent) * 1000 for each in singles))
    measured.put("W4_alone_closed_ms", **_spread((each.closed - each.sent) * 1000 for each in singles))
    measured.put("W4_cpu_ms_per_case", **cpu)
    measured.details = {"records_per_case": per_case, "raw_rates": limit.rates(), "checked": checked}
    return measured


def _spread(milliseconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {"p50": round(statistics.median(ordered), 1), "max": round(ordered[-1], 1), "runs": len(ordered)}
