"""How fast is the audit? ``python -m tests.bench.audit [--events N]`` prints one JSON document.

Whole cases, ten events each, are written to a real broker and a real PostgreSQL first; only the command is timed.
The document stands in ``build/bench_audit.json``, too.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.local import start_servers
from services.cli.connection import Where, find
from services.cli.operations import apply_migrations, make_topics
from services.runtime import configuration
from tests.bench.machine import machine
from tests.support.ledger import EVENTS, Ledger

PARTITIONS = 12
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One audit: its answer, how long it took and how much memory its processes had together."""

    answer: dict[str, Any]
    seconds: float
    rss_peak: int
    cpu_seconds: float


def main() -> None:
    """Write, audit, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description="one audit of many cases")
    parser.add_argument("--events", type=int, default=1_000_000, help="events on case.events")
    cases = parser.parse_args().events // EVENTS
    logging.disable()  # a broker that has just made its topics is asked again until its partitions have leaders
    os.environ["CASELOOP_TOPIC_REPLICATION"] = "1"
    configuration.ENVIRONMENT = {"CASELOOP_TOPIC_REPLICATION": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="caseloop-bench-") as scratch,
        start_servers(Path(scratch), benchmark=True) as servers,
    ):
        assert servers.postgres is not None
        assert servers.kafka is not None
        where = Where(kafka=servers.kafka.bootstrap, postgres=servers.postgres.dsn)
        began = time.perf_counter()
        asyncio.run(_prepare(where, cases))
        prepared = time.perf_counter() - began
        run = _audit(where)
    report = _report(run, cases, prepared)
    text = json.dumps(report, indent=1)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench_audit.json").write_text(text + "\n", encoding="utf-8")
    print(text)  # noqa: T201 - the product of this program
    if not run.answer["proven"]:
        raise SystemExit(f"no result: the audit found {run.answer['findings'][:3]}")


async def _prepare(where: Where, cases: int) -> None:
    connection = find(where)
    await apply_migrations(connection.postgres)
    await make_topics(connection)
    await Ledger(connection.settings(), connection.postgres, "bench", PARTITIONS).write(cases)


def _audit(where: Where) -> Run:
    command = [sys.executable, "-m", "services.cli", "audit", "--json"]
    command += ["--kafka", str(where.kafka), "--postgres", str(where.postgres)]
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said) as process:
        watched = psutil.Process(process.pid)
        used: dict[int, float] = {}
        while process.poll() is None:
            peak = max(peak, _memory(watched, used))
            time.sleep(LOOK_SECONDS)
        seconds, cpu = time.perf_counter() - began, sum(used.values())
        said.seek(0)
        answer = json.loads(said.read())
    return Run(answer, seconds, peak, cpu)


def _memory(process: psutil.Process, used: dict[int, float]) -> int:
    """Return the memory of the process and its children, and note how much processor time each has used."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            used[each.pid] = times.user + times.system
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def _report(run: Run, cases: int, prepared: float) -> dict[str, Any]:
    return {
        "environment": machine(),
        "figures": {
            "audit_seconds": round(run.seconds, 2),
            "case_events": run.answer["case_events"],
            "case_events_per_second": round(run.answer["case_events"] / run.seconds),
            "rss_peak_mib": round(run.rss_peak / 2**20),
            "cpu_seconds": round(run.cpu_seconds, 1),
        },
        "cases": cases,
        "prepared_in_seconds": round(prepared, 1),
        "answer": {name: value for name, value in run.answer.items() if name != "findings"},
    }


if __name__ == "__main__":
    main()
