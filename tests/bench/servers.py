"""What do the broker's threads and PostgreSQL's processes and statements cost while something is measured?"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

PRELOADED: Mapping[str, str] = {"shared_preload_libraries": "pg_stat_statements"}
"""What PostgreSQL has to be started with, so that it counts its statements."""
THREADS: Mapping[str, re.Pattern[str]] = {
    "requests and network": re.compile(r"^data-pl"),
    "groups": re.compile(r"^(executor-)?group-"),
    "controller": re.compile(r"^kafka-\d+-|^quorum|^raft|^controller|^broker"),
    "compiler": re.compile(r"^C[12] "),
    "garbage collection": re.compile(r"^G1|^GC|^VM Thr"),
}
"""Kinds of the broker's threads, by what fifteen characters leave of their names."""
BACKENDS = "SELECT pid, backend_type, application_name FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
COST = """
-- The statements of everybody but us since the last reset, the dearest first.
SELECT query, calls, total_exec_time AS milliseconds, rows, wal_bytes FROM pg_stat_statements
WHERE query !~ 'pg_stat_' ORDER BY total_exec_time DESC
"""
UPDATES = """
-- Tables with at least so many updates, and how many of these found room on their page (HOT: no index is touched).
SELECT schemaname || '.' || relname AS name, n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_user_tables
WHERE n_tup_upd >= $1 ORDER BY n_tup_upd DESC
"""
WORDS_MAX = 90
LOG_FILES = 64
"""Files of the write-ahead log that a server has before it is measured; each has 16 MiB."""
NEXT_FILE = "SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()"


@dataclass(frozen=True, slots=True)
class Spent:
    """Microseconds of the processors so far by kind of work."""

    kafka: Counter[str]
    postgres: Counter[str]


async def run_in(dsn: str) -> None:
    """Give PostgreSQL the files for its write-ahead log that it has when it has run for a while.

    A new server makes each when the one before is full, 16 MiB of zeros, synced, and all commits wait for that, 40 to
    60 ms. One that has run writes into files that a checkpoint has found to be needed no more.
    """
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(LOG_FILES):
            await connection.execute(NEXT_FILE)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def reset(connection: asyncpg.Connection) -> None:
    """Let PostgreSQL count its statements from now on."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await connection.execute("SELECT pg_stat_statements_reset()")


async def spent(connection: asyncpg.Connection, broker: int) -> Spent:
    """Return what the broker's threads and PostgreSQL's processes have used, these by whom they work for."""
    postgres: Counter[str] = Counter()
    for row in await connection.fetch(BACKENDS):
        service = row["application_name"].removeprefix("caseloop-")
        postgres[service or row["backend_type"]] += _microseconds(row["pid"])
    return Spent(_threads(broker), postgres)


async def statements(connection: asyncpg.Connection, cases: int, most: int) -> list[dict[str, Any]]:
    """Return the dearest statements with what they cost each case, and what all others cost as the last line."""
    rows = [dict(row) for row in await connection.fetch(COST)]
    lines = [{"statement": _short(row["query"]), **_per_case([row], cases)} for row in rows[:most]]
    return [*lines, {"statement": f"{len(rows[most:])} others", **_per_case(rows[most:], cases)}]


async def updates(connection: asyncpg.Connection, cases: int) -> list[dict[str, Any]]:
    """Return the tables with an update for every fourth case or more, and what share of updates stays on its page."""
    rows = await connection.fetch(UPDATES, cases // 4)
    shares = [(row["name"], row["updates"] / cases, row["hot"] / row["updates"]) for row in rows]
    return [{"table": name, "updates": round(each, 2), "hot": round(share, 3)} for name, each, share in shares]


def _per_case(rows: list[dict[str, Any]], cases: int) -> dict[str, float]:
    names = ("calls", "milliseconds", "rows", "wal_bytes")
    return {name: round(float(sum(row[name] for row in rows)) / cases, 4) for name in names}


def _threads(broker: int) -> Counter[str]:
    used: Counter[str] = Counter()
    for thread in psutil.Process(broker).threads():
        try:
            name = Path(f"/proc/{broker}/task/{thread.id}/comm").read_text("utf-8").strip()
        except OSError:
            continue  # it has ended since
        kind = next((kind for kind, pattern in THREADS.items() if pattern.search(name)), "others")
        used[kind] += round((thread.user_time + thread.system_time) * 1e6)
    return used


def _microseconds(pid: int) -> int:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return round((times.user + times.system) * 1e6)


def _short(query: str) -> str:
    """Return a statement's beginning on one line, without its comments."""
    words = " ".join(line.partition("--")[0] for line in query.splitlines()).split()
    text = " ".join(words)
    return text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]} …"
