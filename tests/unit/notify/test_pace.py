"""Is what a provider grants used up, and is it left in peace by and large (the calls of a second, second by second)?"""

import pytest

from services.notify.domain.pace import Pace

UNPACED_PER_SECOND = 320


def played(pace: Pace, granted: float, seconds: int, began: float = 0.0) -> tuple[int, int]:
    """Call a provider that grants so many calls a second, evenly, for so long; return how many it took and refused."""
    taken = refused = 0
    now, filled, room = began, began, 1.0
    while now < began + seconds:
        now += 1 / UNPACED_PER_SECOND
        while (ahead := pace.turn(now)) > 0:
            now += ahead
        room, filled = min(granted / 10, room + (now - filled) * granted), now
        too_much = room < 1
        room -= not too_much
        pace.answered(now, refused=too_much)
        taken, refused = taken + (not too_much), refused + too_much
    return taken, refused


@pytest.mark.parametrize("granted", [20, 100, 250])
def test_a_limit_is_found_and_used_up(granted: int) -> None:
    pace = Pace()
    played(pace, granted, 10)
    taken, refused = played(pace, granted, 60, began=10.0)
    assert taken >= 0.985 * granted * 60
    assert refused <= 0.07 * taken


def test_nobody_is_slowed_down_without_a_limit_or_for_a_rare_refusal() -> None:
    pace = Pace()
    for number in range(1000):
        assert pace.turn(number / 100) == 0.0
        pace.answered(number / 100, refused=number % 50 == 0)
    assert pace.per_second is None


def test_after_an_outage_the_old_pace_is_soon_there_again() -> None:
    pace = Pace()
    played(pace, 100, 10)
    for number in range(60):
        pace.answered(10.0 + number, refused=True)
    assert pace.per_second is not None
    assert pace.per_second <= 2
    played(pace, 100, 3, began=70.0)
    taken, _ = played(pace, 100, 10, began=73.0)
    assert taken >= 950


def test_a_raised_limit_is_used_soon() -> None:
    pace = Pace()
    played(pace, 50, 10)
    played(pace, 200, 15, began=10.0)
    taken, _ = played(pace, 200, 10, began=25.0)
    assert taken >= 1900


def test_the_time_of_a_pause_that_the_provider_asked_for_counts_for_nothing() -> None:
    pace = Pace()
    for number in range(100):
        pace.answered(number / 500, refused=number >= 90)
    pace.answered(60.0, refused=False)
    assert pace.per_second == pytest.approx(90 / 0.25)


def test_a_second_in_which_we_stood_still_ourselves_says_little_of_the_limit() -> None:
    pace = Pace(per_second=100.0)
    for number in range(40):
        pace.answered(number / 40, refused=number >= 36)
    pace.answered(1.0, refused=False)
    assert pace.per_second == pytest.approx(90)


def test_turns_come_one_behind_the_other_and_who_woke_late_catches_up_a_little() -> None:
    pace = Pace(per_second=10.0)
    assert [pace.turn(5.0), pace.turn(5.0), pace.turn(5.04)] == [0.0, 0.0, pytest.approx(0.06)]
    assert [pace.turn(5.12), pace.turn(5.12), pace.turn(9.0), pace.turn(9.0)] == [0.0, pytest.approx(0.08), 0.0, 0.0]
    assert pace.turn(9.0) == pytest.approx(0.1)
