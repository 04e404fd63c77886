"""growth: does a case cost more when a million closed ones are stored than with ten thousand?

Two products run beside each other, one with few stored cases (:mod:`tests.bench.stored`), one with many. The closed
loop of W4 runs in short samples, in turn on the one and on the other, and what a case of each pair uses of the
processors is compared: a machine that others use, too, is as slow for the one as for the other. What autovacuum uses
stands apart, because it comes in bursts: often and short over small tables, seldom and long over large ones.
No statement of the loop may read a table that grows from end to end.

Both have been vacuumed, analysed, checkpointed and run in before they are measured. A checkpoint is not far back then:
most pages of a large index go to the log whole when they are touched first after it: the dearest time there is.

A million stored cases, the usual number, take 23 GB of disk, ten million 230 (``--cases``).
"""

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.bench.servers import PRELOADED, reset, statements
from tests.bench.stand import QUIET_SECONDS, Stand, beside, stand_of
from tests.bench.stored import TABLES, fill, keep_templates
from tests.bench.workload import Ground, Measured, NoResultError
from tests.bench.workloads.closed_loop import product, warmed
from tests.support.floor import until
from tests.support.system import System

SMALL, LARGE, LARGE_QUICK = 10_000, 1_000_000, 50_000
TEMPLATES = 300
SAMPLES, SAMPLES_QUICK = 9, 5
CASES, CASES_QUICK = 600, 300
"""Cases of one sample."""
COUNTED = """
-- How many cases are stored, how many of them closed, and how many of the driver's own were closed, once and in all.
SELECT (SELECT count(*) FROM router.cases) AS stored,
    (SELECT count(*) FROM router.cases WHERE state = 'closed') AS closed,
    (SELECT count(DISTINCT case_id) FROM desk.timeline
        WHERE case_id = ANY ($1::uuid[]) AND type = 'caseloop.case.closed.v1') AS own,
    (SELECT count(*) FROM desk.timeline WHERE case_id = ANY ($1::uuid[]) AND type = 'caseloop.case.closed.v1') AS closes
"""
WHOLE_READS = """
-- How often each table was read from end to end so far: the summaries of a BRIN index count as scans, but of few pages.
SELECT schemaname || '.' || relname AS name, seq_tup_read / greatest(n_live_tup, 1)::float AS times
FROM pg_stat_user_tables
WHERE (schemaname, relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
STATEMENTS_READ, STATEMENTS_MAX = 1000, 12


@dataclass(slots=True)
class Loop:
    """The closed loop with so many stored cases, sample by sample."""

    stored: int
    stand: Stand
    fill_seconds: float
    before: Mapping[str, float] = field(default_factory=dict)
    """How often each table that grows had been read from end to end."""
    costs: list[Mapping[str, float]] = field(default_factory=list)
    """Milliseconds of the processors for a case, by process and in sum."""

    vacuumed: float = 0.0
    """Milliseconds that autovacuum used, divided by all cases of the samples; it works between them, too."""

    def median(self) -> dict[str, float]:
        """Return what each process took for a case in the middle one of the samples."""
        return {name: statistics.median(cost[name] for cost in self.costs) for name in self.costs[-1]}


@dataclass(frozen=True, slots=True)
class Seen:
    """What PostgreSQL counted in the loop."""

    statements: Mapping[str, float]
    """Milliseconds of each statement for a case."""
    wal_bytes: float
    """What a case wrote to the log; a page that is touched first after a checkpoint goes there whole."""
    whole_reads: Mapping[str, int]
    """How often a table that grows was read from end to end, where that happened."""


async def run(ground: Ground) -> Measured:
    """Measure with few stored cases and with many, in turn: ``--cases`` says how many."""
    large = (ground.cases or ground.size(LARGE, LARGE_QUICK)) // TEMPLATES * TEMPLATES
    samples, cases = ground.size(SAMPLES, SAMPLES_QUICK), ground.size(CASES, CASES_QUICK)
    measured = Measured()
    with product(ground) as first, beside(ground, "many", PRELOADED) as other, product(other) as second:
        few, many = await _filled(first, SMALL // TEMPLATES * TEMPLATES), await _filled(second, large)
        for number in range(-1, samples):  # the first pair runs in and is not kept
            for loop in (few, many) if number % 2 else (many, few):
                if number == 0:
                    await _begin(loop)
                loop.costs.append(await loop.stand.sample(cases))
        few.costs, many.costs = few.costs[1:], many.costs[1:]
        seen = [await _seen(loop, samples * cases) for loop in (few, many)]
        measured.details = {"small": await _counted(few), "large": await _counted(many)}
        for loop in (few, many):
            await loop.stand.connection.close()
            await loop.stand.driver.stop()
    _report(measured, few, many)
    _explain(measured, *seen)
    return measured


async def _filled(system: System, stored: int) -> Loop:
    """Return the loop of a product in which so many cases are stored besides the templates and those to come."""
    stand = await stand_of(system, await warmed(system, TEMPLATES))
    await keep_templates(stand.connection, TEMPLATES)
    began = time.perf_counter()
    await fill(system.postgres, 1, stored // TEMPLATES)
    return Loop(stored, stand, time.perf_counter() - began)


async def _begin(loop: Loop) -> None:
    await reset(loop.stand.connection)
    loop.before, loop.vacuumed = await _whole_reads(loop.stand.connection), loop.stand.vacuumed()


async def _seen(loop: Loop, cases: int) -> Seen:
    after, costly = await _whole_reads(loop.stand.connection), Counter[str]()
    loop.vacuumed = round((loop.stand.vacuumed() - loop.vacuumed) * 1000 / cases, 3)
    lines = await statements(loop.stand.connection, cases, STATEMENTS_READ)
    for line in lines:
        costly[line["statement"]] += line["milliseconds"]
    whole = {name: round(times - loop.before[name]) for name, times in after.items()}
    logged = sum(line["wal_bytes"] for line in lines)
    return Seen(costly, logged, {name: times for name, times in whole.items() if times > 0})


async def _whole_reads(connection: asyncpg.Connection) -> dict[str, float]:
    rows = await connection.fetch(WHOLE_READS, *map(list, zip(*TABLES, strict=True)))
    return {row["name"]: row["times"] for row in rows}


async def _counted(loop: Loop) -> dict[str, Any]:
    """Count in the tables, when all have heard; a case of the samples that was not closed exactly once is no result."""
    driver, connection = loop.stand.driver, loop.stand.connection
    own, found = len(driver.journeys), dict[str, int]()
    wanted = {"stored": loop.stored + own, "closed": loop.stored + own, "own": own, "closes": own}

    async def heard() -> bool:
        found.update(dict(await connection.fetchrow(COUNTED, driver.own_cases()) or {}))
        return found == wanted

    try:
        await until(heard, QUIET_SECONDS)
    except TimeoutError:
        raise NoResultError(f"{found} in the tables, {wanted} would be right") from None
    if driver.closed != own:
        raise NoResultError(f"{driver.closed} of {own} seen closed")
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return {"checked": found, "gigabytes": round(size / 1e9, 1), "fill_seconds": round(loop.fill_seconds, 1)}


def _report(measured: Measured, few: Loop, many: Loop) -> None:
    """Note the figures; the ratio is the median of the ratios of all pairs."""
    for name, loop in (("small", few), ("large", many)):
        for cost in loop.costs:
            measured.add(f"growth_cpu_ms_per_case_{name}", cost["sum"])
    ratios = [more["sum"] / less["sum"] for less, more in zip(few.costs, many.costs, strict=True)]
    measured.put(
        "growth_cpu_ratio",
        product=round(statistics.median(ratios), 3),
        minimum=round(min(ratios), 3),
        maximum=round(max(ratios), 3),
        runs=len(ratios),
    )
    measured.put("growth_stored_cases", product=measured.details["large"]["checked"]["stored"])
    measured.details["cpu_ms_per_case"] = {"small": few.median(), "large": many.median()}
    measured.details["autovacuum_ms_per_case"] = {"small": few.vacuumed, "large": many.vacuumed}


def _explain(measured: Measured, few: Seen, many: Seen) -> None:
    """Note where the growth comes from, the statements that grew most first."""
    measured.put("growth_whole_reads", product=sum(many.whole_reads.values()))
    grown = {name: value - few.statements.get(name, 0.0) for name, value in many.statements.items()}
    measured.details |= {
        "wal_bytes_per_case": {"small": round(few.wal_bytes), "large": round(many.wal_bytes)},
        "whole_reads": many.whole_reads,
        "statements_ms_per_case": [
            {"statement": name, "small": round(few.statements.get(name, 0.0), 4), "large": many.statements[name]}
            for name in sorted(grown, key=lambda name: -grown[name])[:STATEMENTS_MAX]
        ],
    }
