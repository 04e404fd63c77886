"""How many states are there, and what happens without each guard? ``python -m tests.model`` says it."""

import sys

from tests.model.explorer import explore
from tests.model.story import MODELS, told

for name, (made, _) in MODELS.items():
    sys.stdout.write(f"{name}: {explore(made(None))}\n")
sys.stdout.write("\n" + "\n".join(told()))
