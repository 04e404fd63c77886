"""growth: does a case cost more when ten million closed ones are stored than with ten thousand?

The closed loop of W4 runs in short samples, first with few stored cases and then with many; what all processes use of
the processors for a case is compared. Closed cases that the loop really had are copied inside PostgreSQL, in every
table where a closed case stays for good, and the inbox; each copy has ids and moments of its own. What goes away when a
survey has expired (timers, surveys, handles) is not copied. No index is dropped for it: the tables look as if the cases
had come one by one. No statement of the loop may read one of these tables from end to end.

A stored case takes 23 kB with its indexes: a million, the usual number, 23 GB of disk, ten million 230 (``--cases``).
While it is filled the database writes neither whole pages to its log nor vacuums: both are done once at the end.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.bench.processor import each, used
from tests.bench.servers import reset, statements
from tests.bench.workload import Ground, Measured, NoResultError
from tests.bench.workloads.closed_loop import product, saturate, warmed
from tests.support.driver import Driver
from tests.support.floor import until
from tests.support.system import System

SMALL, LARGE, LARGE_QUICK = 10_000, 1_000_000, 50_000
TEMPLATES = 300
PORTION = 30
"""Copies of all templates in one transaction."""
SAMPLES, SAMPLES_QUICK = 9, 5
CASES, CASES_QUICK = 600, 300
"""Cases of one sample."""
SETTLED_SECONDS = 60.0
TABLES = (
    ("intake", "customers"), ("intake", "identifiers"), ("intake", "conversations"), ("intake", "cases"),
    ("intake", "inbox"), ("router", "cases"), ("router", "inbox"), ("followup", "cases"), ("followup", "inbox"),
    ("notify", "cases"), ("notify", "deliveries"), ("notify", "inbox"),
    ("desk", "cases"), ("desk", "timeline"), ("desk", "clocks"), ("desk", "deliveries"),
)  # fmt: skip
TEMPLATE = """
-- The statement that keeps what a table has now as the templates of its copies.
SELECT format('CREATE TABLE templates.%I AS TABLE %I.%I', $1::text || '_' || $2::text, $1, $2)
"""
COPY = """
-- The statement that stores copies with these numbers: ids are others, but the same in every table; a copy is as many
-- seconds older as its number says.
SELECT format(
    'INSERT INTO %I.%I (%s) SELECT %s FROM templates.%I, generate_series($1::bigint, $2::bigint) AS copies (number)',
    table_schema, table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
    string_agg(format(CASE
        WHEN data_type = 'uuid' THEN 'md5(%I::text || number)::uuid'
        WHEN column_name IN ('conversation_id', 'case_number', 'value', 'provider_ref')
            THEN 'left(md5(%I || '':'' || number), 16)'
        WHEN data_type = 'timestamp with time zone' THEN '%I - number * interval ''1 second'''
        ELSE '%I'
    END, column_name), ', ' ORDER BY ordinal_position),
    table_schema || '_' || table_name)
FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 GROUP BY table_schema, table_name
"""
HASTE = (
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET autovacuum = off",
    "SELECT pg_reload_conf()",
)
REST = (
    "ALTER SYSTEM RESET full_page_writes",
    "ALTER SYSTEM RESET autovacuum",
    "SELECT pg_reload_conf()",
    "VACUUM (ANALYZE)",
    "CHECKPOINT",
)
"""A crash meanwhile would cost the database, which nobody else uses."""
SETTLED = """
-- Whether everybody has heard that the templates are closed, and nothing of them is on its way.
SELECT (SELECT count(*) FROM desk.cases WHERE state = 'closed') = $1
    AND (SELECT count(*) FROM intake.cases WHERE state = 'closed') = $1
    AND (SELECT count(*) FROM notify.cases WHERE state = 'closed') = $1
    AND NOT EXISTS (SELECT FROM notify.deliveries WHERE state IN ('queued', 'sending', 'unknown'))
"""
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
class Stand:
    """The running product, who uses it, and one connection that looks at its tables.

    The connection stays: what a process has used that ends between two looks is not counted.
    """

    system: System
    driver: Driver
    connection: asyncpg.Connection
    fill_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Loop:
    """The closed loop with so many stored cases, sample by sample."""

    costs: Sequence[Mapping[str, float]]
    """Milliseconds of the processors for a case, by process and in sum."""
    statements: Mapping[str, float]
    """Milliseconds of each of PostgreSQL's statements for a case."""
    wal_bytes: float
    """What a case wrote to the log; a page that is touched first after a checkpoint goes there whole."""
    whole_reads: Mapping[str, int]
    """How often a table that grows was read from end to end, where that happened."""


async def run(ground: Ground) -> Measured:
    """Measure with few stored cases, then with many: ``--cases`` says how many."""
    large = ground.cases or ground.size(LARGE, LARGE_QUICK)
    samples, cases = ground.size(SAMPLES, SAMPLES_QUICK), ground.size(CASES, CASES_QUICK)
    measured = Measured()
    with product(ground) as system:
        driver = await warmed(system, TEMPLATES)
        connection = await asyncpg.connect(system.postgres)
        stand = Stand(system, driver, connection)
        await _keep_templates(connection)
        await _fill(stand, 1, SMALL // TEMPLATES)
        small = await _loop(stand, samples, cases)
        await _fill(stand, SMALL // TEMPLATES + 1, large // TEMPLATES)
        many = await _loop(stand, samples, cases)
        measured.details = await _counted(stand, large // TEMPLATES * TEMPLATES)
        await connection.close()
        await driver.stop()
    _report(measured, small, many)
    return measured


async def _keep_templates(connection: asyncpg.Connection) -> None:
    async def settled() -> bool:
        return bool(await connection.fetchval(SETTLED, TEMPLATES))

    await until(settled, SETTLED_SECONDS)
    await connection.execute("CREATE SCHEMA templates")
    for schema, table in TABLES:
        await keep(connection, schema, table)


async def keep(connection: asyncpg.Connection, schema: str, table: str) -> None:
    """Keep what this table has now as the templates of its copies."""
    await connection.execute(await connection.fetchval(TEMPLATE, schema, table))


async def _fill(stand: Stand, first: int, last: int) -> None:
    """Store the copies with these numbers, each table by a connection of its own, and leave nothing to be tidied up."""
    began = time.perf_counter()
    for statement in HASTE:
        await stand.connection.execute(statement)
    await asyncio.gather(*(copy(stand.system.postgres, schema, table, first, last) for schema, table in TABLES))
    for statement in REST:
        await stand.connection.execute(statement)
    stand.fill_seconds = time.perf_counter() - began


async def copy(dsn: str, schema: str, table: str, first: int, last: int) -> None:
    """Store the copies of this table's templates with these numbers, each a row of its own."""
    connection = await asyncpg.connect(dsn)
    statement = await connection.fetchval(COPY, schema, table)
    for start in range(first, last + 1, PORTION):
        await connection.execute(statement, start, min(start + PORTION - 1, last))
    await connection.close()


async def _loop(stand: Stand, samples: int, cases: int) -> Loop:
    await reset(stand.connection)
    before = await _whole_reads(stand.connection)
    costs = [await _sample(stand, cases) for _ in range(samples)]
    after = await _whole_reads(stand.connection)
    costly: Counter[str] = Counter()
    lines = await statements(stand.connection, samples * cases, STATEMENTS_READ)
    for line in lines:
        costly[line["statement"]] += line["milliseconds"]
    whole = {name: round(after[name] - before[name]) for name in after}
    logged = sum(line["wal_bytes"] for line in lines)
    return Loop(costs, costly, logged, {name: times for name, times in whole.items() if times > 0})


async def _whole_reads(connection: asyncpg.Connection) -> dict[str, float]:
    rows = await connection.fetch(WHOLE_READS, *map(list, zip(*TABLES, strict=True)))
    return {row["name"]: row["times"] for row in rows}


async def _sample(stand: Stand, cases: int) -> dict[str, float]:
    """Return the milliseconds of the processors that a case takes by process, with all that follows its close."""
    names = {pid: name for name, pid in stand.system.ready["pids"].items()}
    before = used(names)
    await saturate(stand.driver, cases)
    await stand.driver.until_quiet(SETTLED_SECONDS)
    return each(before, used(names), cases, 1000)


async def _counted(stand: Stand, copies: int) -> dict[str, Any]:
    """Count in the tables, when all have heard; a case of the samples that was not closed exactly once is no result."""
    own, found = len(stand.driver.journeys), dict[str, int]()
    wanted = {"stored": copies + own, "closed": copies + own, "own": own, "closes": own}

    async def heard() -> bool:
        found.update(dict(await stand.connection.fetchrow(COUNTED, stand.driver.own_cases()) or {}))
        return found == wanted

    try:
        await until(heard, SETTLED_SECONDS)
    except TimeoutError:
        raise NoResultError(f"{found} in the tables, {wanted} would be right") from None
    if stand.driver.closed != own:
        raise NoResultError(f"{stand.driver.closed} of {own} seen closed")
    size = await stand.connection.fetchval("SELECT pg_database_size(current_database())")
    return {"checked": found, "gigabytes": round(size / 1e9, 1), "fill_seconds": round(stand.fill_seconds, 1)}


def _report(measured: Measured, small: Loop, large: Loop) -> None:
    """Note the figures; the ratio is that of the medians."""
    for name, loop in (("small", small), ("large", large)):
        for each_process in loop.costs:
            measured.add(f"growth_cpu_ms_per_case_{name}", each_process["sum"])
    few, many = _median(small), _median(large)
    ratio = many["sum"] / few["sum"]
    measured.put("growth_cpu_ratio", product=round(ratio, 3))
    measured.put("growth_stored_cases", product=measured.details["checked"]["stored"])
    measured.put("growth_whole_reads", product=sum(large.whole_reads.values()))
    grown = {name: value - small.statements.get(name, 0.0) for name, value in large.statements.items()}
    measured.details |= {
        "cpu_ms_per_case": {"small": few, "large": many},
        "wal_bytes_per_case": {"small": round(small.wal_bytes), "large": round(large.wal_bytes)},
        "whole_reads": large.whole_reads,
        "statements_ms_per_case": [
            {"statement": name, "small": round(small.statements.get(name, 0.0), 4), "large": large.statements[name]}
            for name in sorted(grown, key=lambda name: -grown[name])[:STATEMENTS_MAX]
        ],
    }


def _median(loop: Loop) -> dict[str, float]:
    """Return what each process took for a case in the middle one of the samples."""
    return {name: statistics.median(cost.get(name, 0.0) for cost in loop.costs) for name in loop.costs[-1]}
