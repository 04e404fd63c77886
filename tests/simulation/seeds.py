"""How are many seeds run, and what is said about one that fails?

Processes share the seeds; each has a database of its own on one server. Two runs of a seed are alike to the last byte
only when sets of texts are, so every process is started with the same hash seed.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from tests.simulation.guards import GUARDS, STORMS, unguarded
from tests.simulation.loop import Blocking
from tests.simulation.run import Result, simulate
from tests.simulation.server import Server, a_server
from tests.support.commit import present_commit
from tests.support.servers import a_postgres, dsn_of, unique_name

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PROBLEMS_SHOWN = 10
PROCESSES = 2 * (os.cpu_count() or 1)
"""More than processors: a process and PostgreSQL take turns, and neither keeps a processor busy alone."""
_SERVER: list[Server] = []
"""The one of this process, once it is open."""


def main(arguments: Sequence[str]) -> int:
    """Run the seeds, tell how it went, and return the exit status."""
    given = _parse(arguments)
    began = time.monotonic()
    with a_postgres() as dsn:
        results = list(_results(dsn, given))
    report = _report(results, time.monotonic() - began)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    given.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    _say("{seeds} seeds, failed: {failed}, {hours:.0f} simulated hours in {seconds:.0f} s, ".format_map(report))
    _say("{hours_per_cpu_hour:.0f} hours per CPU hour\n".format_map(report))
    return 1 if report["failed"] else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--stop", action="store_true", help="stop at the first seed that fails")
    parser.add_argument("--quiet", action="store_true", help="say nothing about seeds that pass")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many at the same time")
    parser.add_argument("--without", choices=sorted(GUARDS), help="take a protection away, in the storm that needs it")
    parser.add_argument("--storm", choices=sorted(GUARDS), help="the storm of this protection, with it in place")
    parser.add_argument("--report", type=Path, default=BUILD / "simulation.json", help="where the figures go")
    return parser.parse_args(arguments)


def _results(dsn: str, given: argparse.Namespace) -> Iterator[Result]:
    """Yield what each seed showed, in the order in which they end."""
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else [given.seed]
    processes = max(1, min(given.processes, len(seeds)))
    with ProcessPoolExecutor(processes, get_context("spawn"), _open, (dsn,)) as pool:
        for done in as_completed(
            [pool.submit(_one, seed, given.without, given.without or given.storm) for seed in seeds]
        ):
            result = done.result()
            _tell(result, given)
            yield result
            if result.problems and given.stop:
                pool.shutdown(cancel_futures=True)
                return


def _open(dsn: str) -> None:
    """Give this process a database of its own, until it ends."""
    stack = ExitStack()
    _SERVER.append(stack.enter_context(a_server(stack.enter_context(a_database(dsn)))))
    Finalize(None, stack.close, exitpriority=1)


def _one(seed: int, without: str | None, storm: str | None) -> Result:
    """Run one seed in this process."""
    server = _SERVER[0]
    before = _cpu_seconds(server)
    with unguarded(without):
        result = simulate(server, seed, STORMS[storm] if storm else None)
    result.cpu_seconds = _cpu_seconds(server) - before
    return result


@contextmanager
def a_database(dsn: str) -> Iterator[str]:
    """Give an empty database on this server, for as long as the block lasts."""
    name, blocking = unique_name("simulation"), Blocking()
    blocking.run(_administer(dsn, f"CREATE DATABASE {name}"))
    try:
        yield dsn_of(dsn, name)
    finally:
        blocking.run(_administer(dsn, f"DROP DATABASE {name} WITH (FORCE)"))
        blocking.close()


async def _administer(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def _cpu_seconds(server: Server) -> float:
    """Return what this process has used, and the server's processes that work for it where they run here."""
    used = time.process_time()
    for pid in server.pids():
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            continue
        used += times.user + times.system
    return used


def _tell(result: Result, given: argparse.Namespace) -> None:
    """Say how a seed went, and of one that failed how to see it again."""
    if result.problems:
        _tell_failure(result, given)
    elif not given.quiet:
        facts = " ".join(f"{name}={count}" for name, count in result.facts.items())
        pace = f"{result.hours:.1f} h in {result.cpu_seconds:.1f} s"
        _say(f"seed {result.seed}: {pace}, {result.digest[:12]}, {facts}\n")


def _tell_failure(result: Result, given: argparse.Namespace) -> None:
    log = BUILD / "simulation" / f"seed-{result.seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("\n".join([*result.lines, *result.problems]) + "\n", "utf-8")
    _say(
        f"seed {result.seed} FAILED at {_commit()}: {result.digest[:12]}, {len(result.problems)} problems, see {log}\n"
    )
    for problem in result.problems[:PROBLEMS_SHOWN]:
        _say(f"  {problem}\n")
    how = [f" --{name} {value}" for name in ("without", "storm") if (value := getattr(given, name))]
    _say(f'  replay: make simulate ARGS="--seed {result.seed}{"".join(how)}"\n')


def _report(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    hours = sum(result.hours for result in results)
    used = sum(result.cpu_seconds for result in results)
    facts: Counter[str] = Counter()
    for result in results:
        facts.update(result.facts)
    return {
        "commit": _commit(),
        "seeds": len(results),
        "failed": sorted(result.seed for result in results if result.problems),
        "hours": round(hours, 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used, 1),
        "hours_per_cpu_hour": round(3600 * hours / used),
        "facts": dict(facts),
    }


def _commit() -> str:
    return present_commit() or "an unknown commit"


def _say(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()
