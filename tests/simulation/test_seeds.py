"""Is a run the same every time, whatever ran before it?"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SEEDS = 2


def run(arguments: Sequence[str], postgres: str) -> "subprocess.CompletedProcess[str]":
    environment: Mapping[str, str] = {**os.environ, "TEST_POSTGRES_DSN": postgres}
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)


def digests(told: str) -> list[str]:
    return sorted(re.findall(r"seed \d+: .* s, ([0-9a-f]{12}),", told))


def test_one_seed_has_one_history_whatever_ran_before_it(postgres_dsn: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    together = run(["--seeds", str(SEEDS), "--processes", "2", "--report", str(report)], postgres_dsn)
    assert together.returncode == 0, together.stdout + together.stderr
    alone = [digests(run(["--seed", str(each), "--report", str(report)], postgres_dsn).stdout) for each in range(SEEDS)]
    assert digests(together.stdout) == sorted(digest for each in alone for digest in each)
    assert len(set(digests(together.stdout))) == SEEDS
    figures = json.loads(report.read_text("utf-8"))
    assert (figures["seeds"], figures["failed"]) == (1, [])
