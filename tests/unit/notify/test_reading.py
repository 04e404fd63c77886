"""Does notify say the same about a part of a message as about the whole, and refuse the same in what it reads?"""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.followup import ReminderDue, SurveyRequested
from contracts.intake import ContactEnded, ContactReceived, ContactStarted
from contracts.message import Message
from contracts.router import CaseEvent, CaseOpened
from services.notify.app import SERVICE
from services.notify.domain import requests
from services.notify.domain.case import remembered
from services.notify.domain.intention import Intention
from services.notify.domain.occasions import occasion
from tests.support.examples import example
from tests.unit.notify.story import PHONE, POLICY, a, opened, told

BEGUN = told(opened("chat", PHONE))
JOURNAL = sorted((each for each in SERVICE.reads if issubclass(each, CaseEvent)), key=lambda each: each.type)
REQUESTS: dict[type[Message], Callable[[Any], Intention | None]] = {
    ContactStarted: lambda started: requests.greeting(started, POLICY),
    ContactReceived: lambda received: requests.choice(received, POLICY),
    ReminderDue: lambda due: requests.reminder(BEGUN, due, POLICY),
    SurveyRequested: lambda asked: requests.survey(BEGUN, asked, POLICY),
}
ALL = sorted(SERVICE.reads, key=lambda each: each.type)


def part_of(whole: Message) -> Any:  # noqa: ANN401 - a part of a message of any kind
    return SERVICE.reads[type(whole)].read(whole.value())


@pytest.mark.parametrize("kind", JOURNAL, ids=lambda kind: kind.type)
def test_a_case_and_what_its_customer_is_told_are_the_same_after_a_part(kind: type[CaseEvent]) -> None:
    whole = a(kind, version=2)
    before = None if isinstance(whole, CaseOpened) else BEGUN
    part = part_of(whole)
    after, after_part = remembered(before, whole), remembered(before, part)

    assert after is not None
    assert after_part is not None
    assert _plain(after_part) == _plain(after)
    assert _plain(occasion(after_part, part, POLICY)) == _plain(occasion(after, whole, POLICY))


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.type)
def test_what_is_asked_for_is_the_same_after_a_part(kind: type[Message]) -> None:
    whole = example(kind)

    assert _plain(REQUESTS[kind](part_of(whole))) == _plain(REQUESTS[kind](whole))


def test_a_chat_that_ended_is_read_with_its_cases() -> None:
    whole: Any = example(ContactEnded)
    part = part_of(whole)

    assert (part.cases, part.contact.channel) == (whole.cases, whole.contact.channel)
    assert part.contact.conversation_id == whole.contact.conversation_id


def test_every_part_that_is_read_is_compared_here() -> None:
    assert set(ALL) == {*JOURNAL, *REQUESTS, ContactEnded}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.type)
def test_what_is_read_is_checked(kind: type[Message]) -> None:
    value = example(kind).value()
    broken = value.replace(b'"contact_id":"', b'"contact_id":"?').replace(b'"occurred_at":"', b'"occurred_at":"?')
    with pytest.raises(ValidationError):
        SERVICE.reads[kind].read(broken)


def _plain(value: object) -> str:
    """Return all that a value holds, whatever class reads it."""
    return repr(value)
