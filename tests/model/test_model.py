"""Does every promise hold in every interleaving, and is every guard needed for it?"""

from pathlib import Path
from typing import Any

import pytest

from tests.model.delivery import Deliveries
from tests.model.explorer import Guard, Model, explore
from tests.model.journey import Journey
from tests.model.story import MODELS, Made, told
from tests.model.timer import Timers

REMOVED = [(made, guard) for made, guards in MODELS.values() for guard in guards]
names = pytest.mark.parametrize(("made", "guard"), REMOVED, ids=[guard.name for _, guard in REMOVED])


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Journey(), 270_118),
        (Timers(), 2_551),
        (Deliveries(provider="careful"), 2_867),
        (Deliveries(provider="plain"), 1_755),
    ],
    ids=["journey", "timers", "a careful provider", "a plain provider"],
)
def test_nothing_breaks_in_any_interleaving(model: Model[Any], states: int) -> None:
    """The number of states is compared so that nobody narrows what is looked at without saying so."""
    explored = explore(model)
    assert explored.problem is None, f"\n{explored}"
    assert explored.states == states


@names
def test_without_a_guard_it_breaks(made: Made, guard: Guard) -> None:
    explored = explore(made(guard), guard.breaks)
    assert explored.problem is not None, f"{guard.name} is needless, or the model does not see what it is for"
    assert explored.trace


@names
def test_production_has_the_guard(made: Made, guard: Guard) -> None:
    assert guard.stands(), f"{guard.name} is not where the model says: look at both"


def test_a_guard_that_production_lost_is_noticed() -> None:
    assert not Guard("the statement", "SELECT 1", "FOR UPDATE", "").stands()
    assert not Guard("the function", explore, "FOR UPDATE", "").stands()


def test_the_readme_shows_what_is_found() -> None:
    readme = (Path(__file__).parent / "README.md").read_text("utf-8")
    assert readme.partition("<!-- told -->\n")[2] == "\n".join(told())
