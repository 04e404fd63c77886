"""Rows beside the matrix: what when far more comes than can be done, or a server is away for minutes?"""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil

from deploy.local import start_postgres
from tests.chaos.registry import row
from tests.chaos.rig import SERVICE_NAMES, Rig
from tests.support.cluster import BROKERS

CAPACITY = 200
"""Cases a second that the whole product closes on two cores (`make bench`)."""
TIMES = 20
FLOOD_SECONDS = 10.0
DRAIN_SECONDS = 900.0
MEMORY_MIB = 512
"""No process may need more: a poll is bounded in records and bytes, a partition's prefetch in bytes, and what waits for
its turn stays in Kafka or in PostgreSQL."""
KAFKA_AWAY_SECONDS = 300.0
POSTGRES_AWAY_SECONDS = 60.0
PROMISES = 500


@row(
    "overload",
    f"{TIMES} times as many contacts come as can be handled",
    rate=10.0,
    drain_seconds=DRAIN_SECONDS,
    late_seconds=DRAIN_SECONDS,
)
async def overload(rig: Rig) -> None:
    async with rig.another_driver(closing=True) as driver, asyncio.TaskGroup() as group:
        watching = group.create_task(_watch_memory(rig))
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < FLOOD_SECONDS:
            while sent < passed * CAPACITY * TIMES:
                await driver.contact()
                sent += 1
            await asyncio.sleep(0)
        rig.figures["flood"] = f"{sent} contacts in {passed:.0f} s"
        await driver.until_closed(sent, DRAIN_SECONDS)
        drained = time.perf_counter() - began
        rig.figures["drained_per_second"] = round(sent / drained)
        watching.cancel()


async def _watch_memory(rig: Rig) -> None:
    """Remember the most that each service needed; more than its bound is a finding."""
    processes = {service: psutil.Process(await rig.pid(service)) for service in SERVICE_NAMES}
    most: dict[str, int] = dict.fromkeys(processes, 0)
    try:
        while True:
            for service, process in processes.items():
                most[service] = max(most[service], process.memory_info().rss >> 20)
            await asyncio.sleep(0.25)
    finally:
        rig.figures["memory_mib"] = most
        for service, used in most.items():
            if used > MEMORY_MIB:
                _too_large(rig, service, used)


def _too_large(rig: Rig, service: str, used: int) -> None:
    rig.must(lambda _, verdict: verdict.add("stuck", service, f"{used} MiB of memory, {MEMORY_MIB} are its bound"))


@row("kafka-away", "all brokers stand still for five minutes while timers go on", three_brokers=True, rate=15.0)
async def kafka_is_away(rig: Rig) -> None:
    if rig.cluster is None:
        raise AssertionError("the row needs brokers of its own")
    pids = [rig.cluster.processes[number].pid for number in range(1, BROKERS + 1)]
    async with rig.another_driver() as driver:
        for _ in range(PROMISES):
            await driver.contact()
            await asyncio.sleep(0)
        await rig.until(lambda: len(driver.own_cases()) >= PROMISES, 60.0)
        due = (datetime.now(UTC) + timedelta(seconds=10.0)).isoformat().replace("+00:00", "Z")
        for case_id in driver.own_cases():
            await driver.command("make_promise", case_id, promise_id=str(uuid4()), what="a call", due_at=due)
        await rig.wait(5.0)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await rig.wait(KAFKA_AWAY_SECONDS)
    async with rig.database("followup") as database:
        rig.figures["outbox_rows"] = await database.fetchval("SELECT count(*) FROM outbox")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        began = time.perf_counter()
        async with asyncio.timeout(60):
            while await database.fetchval("SELECT min(created_at) < now() - interval '5 seconds' FROM outbox"):  # noqa: ASYNC110 - the fact lies in a table
                await asyncio.sleep(0.05)
    rig.figures["drained_seconds"] = round(time.perf_counter() - began, 1)


@row("postgres-away", "PostgreSQL is away for a minute; no process is restarted", own_postgres=True)
async def postgres_is_away(rig: Rig) -> None:
    before = [await rig.pid(service) for service in SERVICE_NAMES]
    await asyncio.to_thread(rig.servers.postgres.kill)
    await rig.wait(POSTGRES_AWAY_SECONDS)
    rig.servers.postgres = await asyncio.to_thread(start_postgres, rig.servers.postgres.data_dir)
    after = [await rig.pid(service) for service in SERVICE_NAMES]
    if before != after:
        rig.must(lambda _, verdict: verdict.add("stuck", "the services", "some process did not wait, but ended"))
