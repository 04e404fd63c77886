"""What does each model find, as people read it? The folder's README holds the answer and a test compares."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.model.delivery import GUARDS as DELIVERY_GUARDS
from tests.model.delivery import Deliveries
from tests.model.explorer import Guard, Model, explore
from tests.model.journey import GUARDS as JOURNEY_GUARDS
from tests.model.journey import Journey
from tests.model.timer import GUARDS as TIMER_GUARDS
from tests.model.timer import Timers

Made = Callable[[Guard | None], Model[Any]]
MODELS: dict[str, tuple[Made, tuple[Guard, ...]]] = {
    "consume, commit, relay, retire": (Journey, JOURNEY_GUARDS),
    "fire, cancel, move": (Timers, TIMER_GUARDS),
    "send, unknown, look-up": (Deliveries, DELIVERY_GUARDS),
}


def told() -> Iterator[str]:
    """Yield the story of every guard that is taken away."""
    for name, (made, guards) in MODELS.items():
        yield f"### {name}\n"
        for guard in guards:
            yield f"Without *{guard.name}*:\n\n```text\n{explore(made(guard), guard.breaks)}\n```\n"
