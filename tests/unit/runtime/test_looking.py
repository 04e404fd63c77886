"""From where does a loop look again? Nothing that was left may be missed, nothing long gone be passed over."""

from datetime import timedelta

from services.runtime.looking import BACK, BEGINNING, FAR, LookBack
from tests.support.floor import NOW

SECOND = timedelta(seconds=1)


def seen_at_the_start() -> LookBack:
    looks = LookBack()
    assert looks.since(NOW) == BEGINNING
    looks.seen(NOW)
    return looks


def test_the_first_look_is_from_the_beginning_until_it_has_seen_all() -> None:
    looks = LookBack()
    assert looks.since(NOW) == looks.since(NOW + SECOND) == BEGINNING
    looks.seen(NOW + SECOND)
    assert looks.since(NOW + SECOND) == NOW + SECOND - BACK


def test_a_look_begins_a_little_before_the_last_that_saw_all() -> None:
    looks = seen_at_the_start()
    assert looks.since(NOW + 20 * SECOND) == NOW - BACK
    looks.seen(NOW + 20 * SECOND)
    assert looks.since(NOW + 21 * SECOND) == NOW + 20 * SECOND - BACK


def test_now_and_then_it_begins_at_the_beginning() -> None:
    looks = seen_at_the_start()
    for seconds in range(1, 30):
        assert looks.since(NOW + seconds * SECOND) > BEGINNING
        looks.seen(NOW + seconds * SECOND)
    assert looks.since(NOW + FAR) == BEGINNING
    assert looks.since(NOW + FAR) == BEGINNING, "nobody said that this look has ended"
    looks.seen(NOW + FAR)
    assert looks.since(NOW + FAR + SECOND) > BEGINNING


def test_what_is_said_to_be_due_earlier_is_looked_for_even_if_it_is_said_during_a_look() -> None:
    looks, long_ago = seen_at_the_start(), NOW - timedelta(hours=1)
    looks.since(NOW + SECOND)
    looks.reach(long_ago)
    looks.reach(NOW)
    looks.seen(NOW + SECOND)
    assert looks.since(NOW + 2 * SECOND) == long_ago - BACK
    assert looks.since(NOW + 2 * SECOND) == long_ago - BACK, "nobody said that this look has ended"
    looks.seen(NOW + 2 * SECOND)
    assert looks.since(NOW + 3 * SECOND) == NOW + 2 * SECOND - BACK


def test_what_is_due_later_changes_nothing() -> None:
    looks = seen_at_the_start()
    looks.reach(NOW + SECOND)
    assert looks.since(NOW + SECOND) == NOW - BACK


def test_the_earliest_moment_there_is_can_be_reached() -> None:
    looks = seen_at_the_start()
    looks.reach(BEGINNING)
    assert looks.since(NOW + SECOND) == BEGINNING


def test_a_clock_that_was_set_back_begins_anew() -> None:
    looks = seen_at_the_start()
    assert looks.since(NOW - SECOND) == BEGINNING


def test_a_clock_that_was_set_back_by_less_than_has_passed_looks_no_later_than_it_shows() -> None:
    looks = seen_at_the_start()
    looks.since(NOW + 20 * SECOND)
    looks.seen(NOW + 20 * SECOND)
    assert looks.since(NOW + 5 * SECOND) == NOW + 5 * SECOND - BACK
