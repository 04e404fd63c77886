"""Does desk see the same in a part of a message as in the whole, and refuse the same in what it reads?"""

import pytest
from pydantic import ValidationError

from contracts import followup, notify, router
from contracts.message import Message
from services.desk.app import SERVICE
from services.desk.domain.board import fold
from services.desk.domain.companions import clocks_after, deliveries_after
from services.desk.reading import WHOLE
from tests.support.examples import example
from tests.unit.desk.story import a_case, story, told

JOURNAL = sorted((each for each in SERVICE.reads if issubclass(each, router.CaseEvent)), key=lambda each: each.type)
OTHERS = sorted(
    (each for each in SERVICE.reads if issubclass(each, followup.ClockMessage | notify.Notification)),
    key=lambda each: each.type,
)


def test_every_wanted_message_is_read_in_part_or_as_a_whole() -> None:
    assert SERVICE.reads.keys() | WHOLE == SERVICE.wants
    assert not SERVICE.reads.keys() & WHOLE


@pytest.mark.parametrize("kind", JOURNAL, ids=lambda kind: kind.type)
def test_the_board_is_the_same_after_a_part(kind: type[router.CaseEvent]) -> None:
    begun = story("part")[:2]
    whole = told(kind, a_case("part"), 3)
    part = SERVICE.reads[kind].read(whole.value())

    assert fold(None, [*begun, part]) == fold(None, [*begun, whole])  # type: ignore[list-item]  # has what fold reads
    assert (part.type, part.topic_name(), part.key()) == (whole.type, whole.topic_name(), whole.key())


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.type)
def test_clocks_and_deliveries_are_the_same_after_a_part(kind: type[Message]) -> None:
    whole = example(kind)
    part = SERVICE.reads[kind].read(whole.value())
    after = clocks_after if isinstance(whole, followup.ClockMessage) else deliveries_after

    assert after([part]) == after([whole])  # type: ignore[list-item]  # has what is read


@pytest.mark.parametrize("kind", [*JOURNAL, *OTHERS], ids=lambda kind: kind.type)
def test_what_is_read_is_checked(kind: type[Message]) -> None:
    value = example(kind).value()
    with pytest.raises(ValidationError):
        SERVICE.reads[kind].read(value.replace(b'Z"', b'"'))
