"""How are many seeds run? ``python -m tests.simulation --seeds 200``; ``--seed 7`` replays one and shows its log."""

import sys

from tests.simulation.seeds import main

sys.exit(main(sys.argv[1:]))
