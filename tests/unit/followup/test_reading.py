"""Does followup decide the same by a part of a message as by the whole, and refuse the same in what it reads?"""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts import router
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import Message
from services.followup.app import JOURNAL, SERVICE
from services.followup.domain import decisions
from services.followup.domain.rules import Occasion
from services.followup.domain.state import Decision
from tests.support.examples import example
from tests.unit.followup.story import COMMAND, Story, a_case

EVENTS = sorted(JOURNAL, key=lambda event: event.type)
PARTS = [*EVENTS, ContactReceived, ContactStarted]


def a_story() -> Story:
    """Return a case with something for every event to end: a promise, a call that is planned, a survey."""
    story = Story()
    story.opened()
    promise = example(router.PromiseKept)
    story.told(router.PromiseMade, promise_id=promise.promise_id, due_at=story.at + timedelta(days=1))  # type: ignore[attr-defined]  # it has one
    story.told(router.CallbackScheduled, at=story.at + timedelta(hours=1), not_after=None)
    story.told(router.CaseClosed, state="closed", outcome="confirmed", cycle=1)
    return story


def decided(story: Story, event: Any) -> Decision:  # noqa: ANN401 - a whole event or a part of one
    """Return what comes of an event, at the very moment of the last."""
    occasion = Occasion(story.rules, COMMAND, story.at)
    if isinstance(event, router.CaseOpened):
        return decisions.open_case(event, occasion)
    return decisions.decide(story.case, event, occasion)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_a_part_leads_to_the_same(kind: type[router.CaseEvent]) -> None:
    story = a_story()
    whole = story.event(kind)
    whole = a_case(whole, {"severity": "urgent"}) if isinstance(whole, router.CaseOpened) else whole
    part = SERVICE.reads[kind].read(whole.value())

    assert decided(story, part) == decided(story, whole)
    assert (part.type, part.topic_name(), part.key()) == (whole.type, whole.topic_name(), whole.key())


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.type)
def test_what_is_read_is_checked_and_what_is_not_read_is_not_there(kind: type[Message]) -> None:
    value = example(kind).value()
    part = SERVICE.reads[kind]

    with pytest.raises(ValidationError):
        part.read(value.replace(b'Z"', b'"'))
    with pytest.raises(AttributeError):
        _ = part.read(value).policy  # type: ignore[attr-defined]  # that is what is tested
