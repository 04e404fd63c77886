"""Does a seed notice when a protection is gone?

A simulation that stays green without a guard says nothing about it. Each guard has a storm in which it is needed, and a
seed of it that was found by search. When a change of the product gives the seeds other histories and one of them
notices no more, ``make simulate ARGS="--without lease --stop"`` finds another. All are played by one process, for most
of a play's time would be its start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.simulation.guards import GUARDS, STORMS, unguarded
from tests.simulation.run import simulate
from tests.simulation.seeds import a_database
from tests.simulation.server import a_server

SEEDS: Mapping[str, int] = {"inbox": 0, "offsets": 0, "timers": 2, "lease": 1, "relay": 0}
NOTICED: Mapping[str, str] = {"inbox": "I2", "offsets": "I2", "timers": "I4", "lease": "I3", "relay": "I2"}
"""The invariant that the checks say is broken."""
Problems = Mapping[str, Mapping[str, Sequence[str]]]
"""By guard, with it and without."""


@pytest.fixture(scope="module")
def found(postgres_dsn: str) -> Problems:
    """Play every seed here with its guard and without it, where sets of texts have the same order every time."""
    command = [sys.executable, "-m", __name__, postgres_dsn]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert told.returncode == 0, told.stderr
    problems: Problems = json.loads(told.stdout)
    return problems


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_a_seed_fails_without_the_guard_and_passes_with_it(guard: str, found: Problems) -> None:
    assert found[guard]["with"] == []
    assert any(problem.startswith(NOTICED[guard]) for problem in found[guard]["without"]), found[guard]


def play(dsn: str) -> Problems:
    found: dict[str, dict[str, list[str]]] = {}
    with a_database(dsn) as own, a_server(own) as server:
        for guard, seed in SEEDS.items():
            alike = [each for each in found if (SEEDS[each], STORMS[each]) == (seed, STORMS[guard])]
            whole = found[alike[0]]["with"] if alike else simulate(server, seed, STORMS[guard]).problems
            with unguarded(guard):
                found[guard] = {"with": whole, "without": simulate(server, seed, STORMS[guard]).problems}
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(play(sys.argv[1])))
