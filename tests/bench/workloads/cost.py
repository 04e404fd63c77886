"""W4cpu: where does each microsecond of a case of the closed loop go?

The closed loop runs twice at saturation. First nobody looks, and what every process used is counted. Then a sampling
profiler looks at the services; how it divides their time is applied to what was counted first.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from tests.bench.machine import Share
from tests.bench.processor import Used, used
from tests.bench.profile import PARTS, sampled
from tests.bench.servers import Spent, reset, spent, statements, updates
from tests.bench.workload import Ground, Measured, NoResultError
from tests.bench.workloads.closed_loop import product, saturate, warmed
from tests.support.driver import Driver
from tests.support.system import System

CASES, CASES_QUICK = 3000, 1000
WARM = 300
SETTLED_SECONDS = 60.0
STATEMENTS_MAX = 15
SAMPLES_MIN = 50
"""Fewer of a service would say nothing about its parts."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The closed loop, saturated once."""

    cases: int
    seconds: float
    by_process: Used
    servers: Spent
    idle_seconds: float
    statements: list[dict[str, Any]]
    updates: list[dict[str, Any]]

    def microseconds(self, seconds: float) -> int:
        """Return what so many seconds are for each case."""
        return round(seconds * 1e6 / self.cases)


async def run(ground: Ground) -> Measured:
    """Measure once; there is nothing to take a median of."""
    cases = ground.cases or ground.size(CASES, CASES_QUICK)
    with product(ground) as system:
        driver = await warmed(system, WARM)
        loop = await _unwatched(system, driver, cases)
        await driver.until_quiet(SETTLED_SECONDS)
        services = {name: system.pid(name) for name in system.ready["pids"]}
        with sampled(services, ground.scratch) as samples:
            await saturate(driver, cases)
        await driver.stop()
    thin = [name for name, seen in samples.items() if seen.total() < SAMPLES_MIN]
    if thin:
        raise NoResultError(f"the profiler saw too little of {', '.join(thin)}: more cases are needed")
    return _measured(loop, samples)


async def _unwatched(system: System, driver: Driver, cases: int) -> Loop:
    names = {pid: name for name, pid in system.ready["pids"].items()}
    broker = next(each.pid for each in psutil.Process().children(recursive=True) if "kafka.Kafka" in each.cmdline())
    connection = await asyncpg.connect(system.postgres)
    await reset(connection)
    share, servers, processes = Share(), await spent(connection, broker), used(names)
    seconds = await saturate(driver, cases)
    after, idle, now = used(names), share.parts()["idle_percent"], await spent(connection, broker)
    found = await statements(connection, cases, STATEMENTS_MAX)
    updated = await updates(connection, WARM + cases)
    await connection.close()
    return Loop(
        cases,
        seconds,
        {name: after[name] - processes.get(name, 0.0) for name in after},
        Spent(now.kafka - servers.kafka, now.postgres - servers.postgres),
        idle / 100 * (os.cpu_count() or 1) * seconds,
        found,
        updated,
    )


def _measured(loop: Loop, samples: Mapping[str, Counter[str]]) -> Measured:
    measured = Measured()
    measured.put("W4cpu_cases_per_second", product=round(loop.cases / loop.seconds, 1))
    measured.put("W4cpu_us_per_case", product=loop.microseconds(sum(loop.by_process.values())))
    measured.details = {
        "cases": loop.cases,
        "samples": {name: seen.total() for name, seen in samples.items()},
        "services": {name: _divided(loop, name, seen) for name, seen in samples.items()},
        "around": _around(loop),
        "statements": loop.statements,
        "updates": loop.updates,
    }
    return measured


def _divided(loop: Loop, service: str, samples: Counter[str]) -> dict[str, int]:
    """Return a service's microseconds of each case by kind of work."""
    return {part: loop.microseconds(loop.by_process[service] * samples[part] / samples.total()) for part in PARTS}


def _around(loop: Loop) -> dict[str, dict[str, int]]:
    """Return what everything else cost, and what nobody used: with the services the whole time of the processors."""
    whole = loop.microseconds((os.cpu_count() or 1) * loop.seconds)
    idle, ours = loop.microseconds(loop.idle_seconds), loop.microseconds(sum(loop.by_process.values()))
    load = {name: loop.microseconds(loop.by_process.get(name, 0.0)) for name in ("driver", "sms_double")}
    return {
        "kafka": _parts(loop, "kafka", loop.servers.kafka),
        "postgres": _parts(loop, "postgres", loop.servers.postgres),
        "load": load,
        "nobody": {"idle": idle, "other programs, the kernel, the host": max(whole - ours - idle, 0)},
    }


def _parts(loop: Loop, process: str, used_by: Counter[str]) -> dict[str, int]:
    """Return the parts that are known, the greatest first, and the rest of what the process used."""
    known = {name: round(value / loop.cases) for name, value in used_by.most_common()}
    rest = loop.microseconds(loop.by_process.get(process, 0.0)) - sum(known.values())
    return {name: value for name, value in {**known, "rest": rest}.items() if value > 0}
