"""Do rounds look far into long queues for whoever has become freer, and within their share of the time?"""

import pytest

from services.router.handlers.rounds import DEEPER, LOOK_FIRST_MAX, Round
from services.router.reach import FREED_SHARE, SHARE, Reach

DESK, SHOP = frozenset({"after_sales_desk"}), frozenset({"operations"})
NONE: frozenset[str] = frozenset()


def a_round(
    deeper: frozenset[str] = NONE, freed: frozenset[str] = NONE, *, missed: frozenset[str] = NONE, full: bool = False
) -> Round:
    return Round((), 0, missed, deeper=deeper, missed=missed, freed=freed, full=full)


def looked_once(took: float) -> Reach:
    """Return a reach after one far look that took so long and ended at 100 s."""
    reach = Reach()
    reach.after(a_round(DESK), 0.0, 100.0 - took)
    assert reach.after(a_round(), took, 100.0) == DESK
    return reach


def test_it_goes_on_where_somebody_is_still_free_and_each_time_farther() -> None:
    reach = Reach()
    assert (reach.far, reach.limit) == (NONE, LOOK_FIRST_MAX)
    assert reach.after(a_round(DESK | SHOP), 0.01, 1.0) == NONE
    assert (reach.far, reach.limit) == (DESK | SHOP, LOOK_FIRST_MAX * DEEPER)
    assert reach.after(a_round(DESK), 0.01, 1.1) == NONE
    assert (reach.far, reach.limit) == (DESK, LOOK_FIRST_MAX * DEEPER**2)
    assert reach.after(a_round(SHOP), 0.01, 1.2) == DESK
    assert reach.far == NONE


def test_it_ends_when_all_has_been_looked_at() -> None:
    reach = Reach()
    rounds = 0
    while rounds == 0 or reach.far:
        reach.after(a_round(DESK), 0.01, 1.0)
        rounds += 1
    assert rounds < 10


def test_a_round_that_decided_all_it_may_has_not_looked_for_everybody() -> None:
    reach = Reach()
    reach.after(a_round(DESK), 0.01, 1.0)
    assert reach.after(a_round(full=True), 0.01, 1.1) == NONE


def test_what_another_round_had_was_not_looked_at() -> None:
    reach = Reach()
    reach.after(a_round(DESK | SHOP), 0.0, 1.0)
    before = reach.limit
    assert reach.after(a_round(missed=DESK | SHOP), 0.3, 1.3) == NONE
    assert (reach.far, reach.limit) == (DESK | SHOP, before)
    assert reach.after(a_round(missed=DESK), 0.01, 1.4) == SHOP
    assert reach.far == NONE
    assert reach.seconds_to_next(1.4) == pytest.approx(0.01)  # to be turned away has taken nothing


@pytest.mark.parametrize(("freed", "share"), [(NONE, SHARE), (DESK, FREED_SHARE)])
def test_looking_far_takes_its_share_of_the_time(freed: frozenset[str], share: float) -> None:
    took = 0.2
    again = 100.0 + took * (1 / share - 1)
    early = looked_once(took)
    early.after(a_round(DESK, freed), 0.0, again - 0.001)
    assert early.far == NONE
    late = looked_once(took)
    late.after(a_round(DESK, freed), 0.0, again + 0.001)
    assert late.far == DESK


def test_who_has_become_freer_comes_first() -> None:
    reach = Reach()
    reach.after(a_round(DESK | SHOP, SHOP), 0.0, 1.0)
    assert reach.far == SHOP


def test_it_says_how_long_they_wait() -> None:
    assert looked_once(0.2).seconds_to_next(100.05) == pytest.approx(0.15)
    assert looked_once(0.2).seconds_to_next(101.0) == 0.0
