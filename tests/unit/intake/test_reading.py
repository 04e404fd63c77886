"""Does intake see the same in a part of an event as in the whole, and refuse the same in what it reads?"""

import pytest
from pydantic import ValidationError

from contracts import router
from services.intake.app import SERVICE
from services.intake.domain.journal import news_of
from services.intake.domain.reading import READS, heard
from tests.support.examples import example

EVENTS = sorted((each for each in READS if issubclass(each, router.CaseEvent)), key=lambda each: each.type)


def test_every_event_is_read_in_part() -> None:
    assert {kind for kind in SERVICE.wants if issubclass(kind, router.CaseEvent)} == SERVICE.reads.keys()


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_the_news_of_a_part_are_those_of_the_whole(kind: type[router.CaseEvent]) -> None:
    whole = example(kind)
    part = READS[kind].read(whole.value())

    assert heard(part) is part
    assert heard(whole) == part
    assert news_of([part]) == news_of([heard(whole)])
    assert (part.type, part.topic_name(), part.key()) == (whole.type, whole.topic_name(), whole.key())


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_what_is_read_is_checked(kind: type[router.CaseEvent]) -> None:
    with pytest.raises(ValidationError):
        READS[kind].read(example(kind).value().replace(b'"state":"', b'"state":"un'))
