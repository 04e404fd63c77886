"""Rows beside the matrix: what when far more comes than can be handled, or Kafka is away for minutes?"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import asyncpg

from tests.chaos.brokers import cluster_of
from tests.chaos.flooding import Flood, flooding, too_large, watched
from tests.chaos.load import slowest
from tests.chaos.provider import QUICK
from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.chaos.timers import all_fired
from tests.support.cluster import BROKERS
from tests.support.driver import Driver

TIMES = 20
FLOOD_SECONDS = 60.0
NEW_SECONDS = 6.0
"""So long the flood is of new contacts, for each is work for the whole product; then the same come again and again."""
BURST = 2000
"""Cases that are opened and closed to learn how many a second this machine can handle now."""
DRAIN_SECONDS = 300.0
STEP_SECONDS = 10.0
LOOK_SECONDS = 5.0
SLOWER_MOST = 1.5
"""How much longer a case may take when the flood is over, and half a second."""
AWAY_SECONDS = 300.0
CASES = 600
PROMISES_EACH = 5
LEAD_SECONDS = 15.0
FRESH = 60
FRESH_PAUSE_SECONDS = 0.25
FRESH_SECONDS = 45.0
"""So long a contact may take that comes while everybody works off what has piled up."""
ROWS_PER_SECOND = 500
OUTBOX_SECONDS = 60.0
OUTBOXES = """
-- chaos.outboxes: how many rows from before a moment still wait, by service
SELECT
    (SELECT count(*) FROM intake.outbox WHERE created_at < $1) AS intake,
    (SELECT count(*) FROM router.outbox WHERE created_at < $1) AS router,
    (SELECT count(*) FROM followup.outbox WHERE created_at < $1) AS followup,
    (SELECT count(*) FROM notify.outbox WHERE created_at < $1) AS notify,
    (SELECT count(*) FROM desk.outbox WHERE created_at < $1) AS desk
"""


@row(
    "overload",
    f"for a minute {TIMES} times as much comes as can be handled: {NEW_SECONDS:.0f} s of new contacts,"
    " then the same ones again and again",
    rate=10.0,
    late_seconds=DRAIN_SECONDS,
)
async def overload(rig: Rig) -> None:
    pids, began = await rig.pids(), time.perf_counter()
    await rig.wait(LOOK_SECONDS)
    async with rig.another_driver(closing=True) as driver, flooding(driver) as flood, watched(rig) as most:
        usual = await _usual(driver, flood)
        before = slowest(rig.driver, began, began + LOOK_SECONDS)
        await _flood(rig, flood, usual)
        await _drained(rig, driver)
        ended = time.perf_counter()
        await rig.wait(LOOK_SECONDS)
        await rig.driver.until_closed(len(rig.driver.journeys), DRAIN_SECONDS)
        after = slowest(rig.driver, ended, ended + LOOK_SECONDS)
    _judge_flood(rig, most, before, after)
    rig.nobody_ended(pids, await rig.pids())


async def _usual(driver: Driver, flood: Flood) -> float:
    """Return how many cases a second are opened and closed when there is always work."""
    began = time.perf_counter()
    await flood.contacts(BURST)
    await driver.until_closed(BURST, DRAIN_SECONDS)
    return BURST / (time.perf_counter() - began)


async def _flood(rig: Rig, flood: Flood, usual: float) -> None:
    began, closed = time.perf_counter(), flood.driver.closed
    new = await flood.steadily(usual * TIMES, NEW_SECONDS)
    again = await flood.steadily(usual * TIMES, FLOOD_SECONDS - NEW_SECONDS, flood.again())
    await flood.arrived()
    seconds = time.perf_counter() - began
    rig.hurt(new + again, round(0.9 * usual * TIMES * FLOOD_SECONDS), "flood_events")
    rig.figures |= {
        "usual_cases_per_second": round(usual),
        "flood_events_per_second": round((new + again) / seconds),
        "flood_new": new,
        "cases_per_second_in_flood": round((flood.driver.closed - closed) / seconds),
    }


async def _drained(rig: Rig, driver: Driver) -> None:
    """Wait until all that came is done, and see that it becomes less all the time."""
    began, waiting = time.perf_counter(), [_waiting(rig.driver, driver)]
    async with asyncio.timeout(DRAIN_SECONDS):
        while _waiting(driver):
            await rig.wait(STEP_SECONDS)
            waiting.append(_waiting(rig.driver, driver))
        await rig.load.steady(DRAIN_SECONDS)
    seconds = time.perf_counter() - began
    rig.figures |= {
        "waiting_after_flood": waiting[0],
        "drained_seconds": round(seconds),
        "cases_per_second_after": round(waiting[0] / seconds),
    }
    if any(later >= earlier for earlier, later in pairwise(waiting)):
        rig.must(lambda _, verdict: verdict.add("stuck", "what waits", f"each {STEP_SECONDS:.0f} s: {waiting}"))


def _waiting(*drivers: Driver) -> int:
    return sum(len(driver.journeys) - driver.closed for driver in drivers)


def _judge_flood(rig: Rig, most: Mapping[str, int], before: float, after: float) -> None:
    """Hold what was measured against what is allowed."""
    rig.figures |= {"p99_before": before, "p99_after": after, "most_mib": dict(most)}
    if large := too_large(most):
        rig.must(lambda _, verdict: verdict.add("stuck", "memory", f"more than allowed, in MiB: {large}"))
    if not 0 < after <= before * SLOWER_MOST + 0.5:
        rig.must(lambda _, verdict: verdict.add("late", "cases behind the flood", f"p99 {after} s, before {before} s"))


@row(
    "kafka-away",
    "all three brokers are killed and away for five minutes, while timers fire and the provider takes messages",
    three_brokers=True,
    rate=4.0,
    environment=QUICK,
    late_seconds=AWAY_SECONDS + OUTBOX_SECONDS,
)
async def kafka_is_away(rig: Rig) -> None:
    cluster, numbers = cluster_of(rig), range(1, BROKERS + 1)
    pids = await rig.pids()
    began = time.perf_counter()
    await _promised(rig)
    await asyncio.gather(*(asyncio.to_thread(cluster.kill, number) for number in numbers))
    await rig.provider()
    await rig.wait(AWAY_SECONDS)
    rig.figures["p99_before"] = slowest(rig.driver, 0.0, began)
    await asyncio.to_thread(cluster.start, *numbers)
    await asyncio.gather(_outboxes_drained(rig), _fresh_are_served(rig))
    rig.nobody_ended(pids, await rig.pids())


async def _promised(rig: Rig) -> None:
    """Promise things for moments all over the outage, and leave messages with a provider that refuses them."""
    async with rig.another_driver() as driver:
        for _ in range(CASES):
            await driver.contact()
        await driver.until_told(CASES, OUTBOX_SECONDS)
        first, promises = datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS), []
        for case_id in driver.own_cases() * PROMISES_EACH:
            promises.append(str(uuid4()))
            due = first + timedelta(seconds=rig.between(0.0, AWAY_SECONDS))
            words = {"promise_id": promises[-1], "what": "a call", "due_at": due.isoformat().replace("+00:00", "Z")}
            await driver.command("make_promise", case_id, **words)
        async with rig.database("desk") as database:
            query = "SELECT count(*) FROM clocks WHERE promise_id IS NOT NULL"
            await rig.until_table(database, query, len(promises), OUTBOX_SECONDS)
        await rig.provider(fail_status=503)
        for case_id in driver.own_cases():
            await driver.command("reach_milestone", case_id, milestone="refund_issued", details={})
        async with rig.database("notify") as database:
            query = "SELECT count(*) FROM deliveries WHERE milestone = 'refund_issued'"
            await rig.until_table(database, query, CASES, OUTBOX_SECONDS)
    rig.must(lambda history, verdict: all_fired(rig, history, verdict, promises))


async def _outboxes_drained(rig: Rig) -> None:
    """Measure how fast what was said while Kafka was away leaves, from the first row on."""
    async with rig.database("router") as database, asyncio.timeout(OUTBOX_SECONDS):
        at = datetime.now(UTC)
        rows = await _outboxes(database, at)
        total, began, moved = sum(rows.values()), time.perf_counter(), 0.0
        while left := sum((await _outboxes(database, at)).values()):
            moved = moved or (time.perf_counter() if left < total else 0.0)
            await rig.wait(0.02)
    ended = time.perf_counter()
    pace = round(total / (ended - (moved or began)))
    rig.hurt(total, CASES * PROMISES_EACH, "outbox_rows")
    rig.figures |= {
        "outbox_rows_by_service": rows,
        "outbox_first_seconds": round((moved or ended) - began, 1),
        "outbox_seconds": round(ended - began, 1),
        "outbox_rows_per_second": pace,
    }
    if pace < ROWS_PER_SECOND:
        rig.must(lambda _, verdict: verdict.add("late", "the outboxes", f"{total} rows, {pace} a second"))


async def _outboxes(database: "asyncpg.Connection[asyncpg.Record]", before: datetime) -> dict[str, int]:
    return {
        service: rows for found in await database.fetch(OUTBOXES, before) for service, rows in found.items() if rows
    }


async def _fresh_are_served(rig: Rig) -> None:
    """Let contacts come while all that has piled up is worked off, and see how long they take."""
    async with rig.another_driver(closing=True) as driver:
        for _ in range(FRESH):
            await driver.contact()
            await rig.wait(FRESH_PAUSE_SECONDS)
        await driver.until_closed(FRESH, OUTBOX_SECONDS)
        took = slowest(driver)
    rig.figures["fresh_p99_seconds"] = took
    if took > FRESH_SECONDS:
        rig.must(lambda _, verdict: verdict.add("late", "fresh contacts", f"p99 {took} s"))
