"""How fast is the product? ``make bench`` measures every workload, ``make bench ARGS="W1 W5"`` these.

Prints one JSON document of this run. ``build/bench.json`` keeps the newest result of every workload, and ``--report``
adds it to what ``docs/performance.md`` tells and shows. With ``--check`` the exit status is 1 when a target was
missed, with a line for each on standard error. ``--quick`` does less: every workload is over within 90 seconds.
``--gate`` measures once, quick, what a change must not slow down, and keeps nothing; the exit status is 1 when a ratio
to the limit of the same run fell below its bound.
"""

import argparse
import json
import logging
import sys
import tempfile
from asyncio import Runner
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from deploy.local import start_kafka, start_postgres
from tests.bench import document, report
from tests.bench.machine import Share, machine, servers
from tests.bench.registry import WORKLOADS
from tests.bench.servers import run_in
from tests.bench.targets import GATE, fallen, missed
from tests.bench.workload import Ground, Measured, NoResultError

RESULT = Path("build/bench.json")


def main() -> None:
    """Run, print and write."""
    given = _given()
    if given.report:
        report.write(RESULT)
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made has no leader for a moment
    environment = machine()
    result: dict[str, Any] = {"environment": {}, "figures": {}, "details": {}}
    for name in given.workloads or WORKLOADS:
        result = document.merged(result, _measured(name, given, environment))
        if not given.gate:
            document.keep(RESULT, result)
    print(json.dumps(result, indent=1))  # noqa: T201 - the product of this program
    lines = fallen(result) if given.gate else missed(result) if given.check else []
    if lines:
        sys.exit("\n".join(lines))


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="the workloads of the bench suite")
    known = "; ".join(f"{name}: {workload.title}" for name, workload in WORKLOADS.items())
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"only these ({known})")
    parser.add_argument("--quick", action="store_true", help="do less, each workload within 90 seconds")
    parser.add_argument("--long", action="store_true", help="W3 for ten minutes, W7 for an hour")
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured")
    parser.add_argument("--cases", type=int, help="W4: cases in the saturation run; growth: stored ones")
    parser.add_argument("--alone", type=int, help="W4: cases sent one by one")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a target was missed")
    parser.add_argument("--report", action="store_true", help="write docs/performance.md and pictures, and end")
    parser.add_argument("--gate", action="store_true", help="measure what CI does; status 1 when a ratio fell too low")
    given = parser.parse_args()
    if given.gate:
        given.quick, given.runs, given.alone = True, 1, 5
        given.workloads = list(dict.fromkeys(target.figure.partition("_")[0] for target in GATE))
    unknown = set(given.workloads) - WORKLOADS.keys()
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    return given


def _measured(name: str, given: argparse.Namespace, environment: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one workload on servers of its own: nothing that another left behind is in its way.

    The broker is the one that ``caseloop up`` starts, without the optimising compiler: on two cores that is still
    compiling after minutes of load, and costs more than it saves (W4: 2.0 ms of CPU a case in the first half minute,
    1.2 after 6,000 cases, 0.9 without). PostgreSQL syncs every commit, into files of its log that are there already.
    """
    with (
        tempfile.TemporaryDirectory(prefix="caseloop-bench-", ignore_cleanup_errors=True) as folder,
        start_kafka(Path(folder) / "kafka") as kafka,
        start_postgres(Path(folder) / "postgres", options=WORKLOADS[name].postgres) as postgres,
    ):
        wanted = (given.runs, given.quick, given.cases, given.alone, given.long)
        ground = Ground(kafka.bootstrap, postgres.dsn, Path(folder), *wanted)
        share = Share()
        try:
            with Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run_in(postgres.dsn))
                beneath = {**environment, **runner.run(servers(kafka.bootstrap, postgres.dsn))}
                found: Measured = runner.run(WORKLOADS[name].run(ground))
        except NoResultError as problem:
            sys.exit(f"{name}: no result: {problem}")
        return document.of(name, found, beneath, share.parts(), quick=given.quick)


if __name__ == "__main__":
    main()
