"""Does the product survive? ``make chaos`` plays every row of the fault matrix; exit status 1 when one is red.

``--rows 1,2`` plays these, ``--seeds N`` each with N seeds from ``--seed`` on. ``--short`` leaves out what only tells a
pace, so the rows beside the matrix: a row is green when nothing was lost, doubled, disordered, early or late, and no
result is kept. ``--guards``
takes each protection of the product away (``--guards inbox,order``: these) and plays the row that must notice; exit
status 1 when one does not. What was measured is written to ``build/chaos.json``; ``--report`` writes it as tables into
``docs/reliability.md``.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.local import start_servers
from tests.chaos import report
from tests.chaos.guards import GUARDS
from tests.chaos.playing import SHORT, WHOLE, play
from tests.chaos.registry import Row, rows
from tests.chaos.rig import Servers

RESULT = Path("build/chaos.json")
Plan = Callable[[Servers], Coroutine[Any, Any, bool]]


def main() -> int:
    """Play, tell, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="the fault matrix on real servers")
    parser.add_argument("--rows", help="only these, separated by commas")
    parser.add_argument("--seeds", type=int, default=1, help="how many times each row is played")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--rate", type=float, help="cases per second of the load instead of each row's own")
    parser.add_argument("--short", action="store_true", help="judge what became of cases, not the pace")
    parser.add_argument("--guards", nargs="?", const="", help="without these protections, separated by commas, or each")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md from build/chaos.json and end")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # servers are away here, and that is no news
    if given.report:
        return report.write(RESULT)
    seeds = range(given.seed, given.seed + given.seeds)
    plan = _without(given.guards, seeds) if given.guards is not None else _rows(given, seeds)
    with tempfile.TemporaryDirectory(prefix="caseloop-chaos-", ignore_cleanup_errors=True) as folder:
        found = start_servers(Path(folder))
        if found.kafka is None or found.postgres is None:
            raise AssertionError(found)
        servers = Servers(found.kafka, found.postgres)
        try:
            return 0 if asyncio.run(plan(servers)) else 1
        finally:
            servers.kafka.stop()
            servers.postgres.stop()


def _rows(given: argparse.Namespace, seeds: range) -> Plan:
    """Return how the rows that were asked for are played, or all; right when each is green."""
    wanted = set(given.rows.split(",")) if given.rows else {row.number for row in rows(beside=not given.short)}
    chosen = [row for row in rows() if row.number in wanted]
    length = SHORT if given.short else WHOLE

    async def played(servers: Servers) -> bool:
        right = True
        for row in chosen:
            result = report.summed(row, [await play(row, servers, seed, given.rate, length) for seed in seeds])
            green = report.is_unharmed(result) if given.short else report.is_green(result)
            if not given.short:
                report.keep(RESULT, "rows", row.number, result)
            _tell(row, result, "green" if green else "RED")
            right = right and green
        return right

    return played


def _without(wanted: str, seeds: range) -> Plan:
    """Return how rows are played while a protection is missing; right when each is noticed with one of the seeds."""
    chosen = [guard for guard in GUARDS if not wanted or guard.name in wanted.split(",")]
    by_number = {row.number: row for row in rows()}

    async def played(servers: Servers) -> bool:
        right = True
        for guard in chosen:
            row = by_number[guard.row]
            bare = replace(row, environment={**row.environment, **guard.environment()})
            noticed: dict[str, Any] = {}
            for seed in seeds:
                noticed = await play(bare, servers, seed, None)
                if not report.is_unharmed(noticed):
                    break
            report.keep(RESULT, "guards", guard.name, {"what": guard.what, "row": guard.row, **noticed})
            word = "NOT NOTICED" if report.is_unharmed(noticed) else "noticed"
            sys.stdout.write(f"without {guard.name} ({guard.what}), row {guard.row}: {word}\n")
            sys.stdout.writelines(f"  {finding}\n" for finding in noticed["findings"])
            sys.stdout.flush()
            right = right and not report.is_unharmed(noticed)
        return right

    return played


def _tell(row: Row, result: dict[str, Any], mark: str) -> None:
    shown = {name: value for name, value in result.items() if name not in {"title", "slow", "findings"}}
    sys.stdout.write(f"row {row.number} {mark}: {row.title}\n  {json.dumps(shown)}\n")
    sys.stdout.writelines(f"  {said}\n" for said in (*result["findings"], *result["slow"]))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
