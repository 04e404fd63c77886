"""Does the product survive? ``make chaos`` plays every row of the fault matrix; exit status 1 when one is red.

``--rows 1,2`` plays these, ``--seeds N`` each with N seeds from ``--seed`` on. What was measured is written to
``build/chaos.json``; ``--report`` writes it as a table into ``docs/reliability.md``.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local import start_servers
from tests.chaos import report
from tests.chaos.playing import play
from tests.chaos.registry import Row, rows
from tests.chaos.rig import Servers

RESULT = Path("build/chaos.json")


def main() -> int:
    """Play, tell, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="the fault matrix on real servers")
    parser.add_argument("--rows", help="only these, separated by commas")
    parser.add_argument("--seeds", type=int, default=1, help="how many times each row is played")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--rate", type=float, help="cases per second of the load instead of each row's own")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md from build/chaos.json and end")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # servers are away here, and that is no news
    if given.report:
        return report.write(RESULT)
    wanted = given.rows.split(",") if given.rows else None
    chosen = [row for row in rows() if wanted is None or row.number in wanted]
    seeds = range(given.seed, given.seed + given.seeds)
    with tempfile.TemporaryDirectory(prefix="caseloop-chaos-", ignore_cleanup_errors=True) as folder:
        found = start_servers(Path(folder))
        if found.kafka is None or found.postgres is None:
            raise AssertionError(found)
        servers = Servers(found.kafka, found.postgres)
        try:
            results = asyncio.run(_all(chosen, servers, seeds, given.rate))
        finally:
            servers.kafka.stop()
            servers.postgres.stop()
    return 0 if all(report.is_green(result) for result in results.values()) else 1


async def _all(chosen: Sequence[Row], servers: Servers, seeds: range, rate: float | None) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for row in chosen:
        runs = [await play(row, servers, seed, rate) for seed in seeds]
        results[row.number] = report.summed(row, runs)
        _tell(row, results[row.number])
        report.keep(RESULT, row.number, results[row.number])
    return results


def _tell(row: Row, result: dict[str, Any]) -> None:
    mark = "green" if report.is_green(result) else "RED"
    shown = {name: value for name, value in result.items() if name not in {"title", "findings"}}
    sys.stdout.write(f"row {row.number} {mark}: {row.title}\n  {json.dumps(shown)}\n")
    sys.stdout.writelines(f"  {finding}\n" for finding in result["findings"])
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
