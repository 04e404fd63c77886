"""Is a run the same every time, does it find what it is there to find, and does it say how to see it again?"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.simulation.guards import GUARDS

SEEDS = 4
SEEDS_MAX = 40
"""A protection whose absence so many seeds do not notice is not looked at."""


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


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_without_a_protection_some_seed_fails_and_says_how_to_replay_it(
    guard: str, postgres_dsn: str, tmp_path: Path
) -> None:
    kept = ["--report", str(tmp_path / "report.json"), "--quiet"]
    found = run(["--seeds", str(SEEDS_MAX), "--stop", "--without", guard, *kept], postgres_dsn)
    assert found.returncode == 1, found.stdout + found.stderr
    replay = re.search(r'make simulate ARGS="--seed (\d+) --without (\w+)"', found.stdout)
    assert replay is not None
    again = run(["--seed", replay[1], "--without", replay[2], *kept], postgres_dsn)
    assert again.returncode == 1
    assert problems(again.stdout) == problems(found.stdout)


def problems(told: str) -> list[str]:
    """Return what was found, without the time at which it was."""
    return [line for line in told.splitlines() if line.startswith("  ") and "replay" not in line]
