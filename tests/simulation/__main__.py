"""How are many seeds run? ``python -m tests.simulation --seeds 200``; ``--seed 7`` replays one and shows its log."""

import os
import sys

from tests.simulation.seeds import main

if os.environ.get("PYTHONHASHSEED") != "0":
    same = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
    os.execve(sys.executable, same, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - this very program, once more
sys.exit(main(sys.argv[1:]))
