"""Is a value with one field changed the same as the one that the standard library makes?"""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.followup.domain.copying import replaced
from tests.unit.followup.story import MONDAY, Story


def test_a_changed_copy_equals_the_one_of_the_standard_library_and_leaves_the_value_alone() -> None:
    story = Story()
    story.opened()
    before = story.case
    clock = before.clocks[0]
    later = MONDAY + timedelta(days=1)

    assert replaced(before, version=7, told_at=later) == replace(before, version=7, told_at=later)
    assert replaced(clock, state="met", next_at=None) == replace(clock, state="met", next_at=None)
    assert replaced(clock) == clock
    assert (before.version, clock.state) == (1, "running")


def test_a_field_that_does_not_exist_is_an_error_as_it_was() -> None:
    story = Story()
    story.opened()

    with pytest.raises(AttributeError):
        replaced(story.case, colour="blue")


def test_a_copy_is_as_frozen_as_its_value() -> None:
    story = Story()
    story.opened()

    with pytest.raises(AttributeError):
        replaced(story.case, version=2).version = 3  # type: ignore[misc] # what must not work
