"""Who is asked for a verdict, when does it count, and when is a customer reminded or a silence broken?"""

from datetime import timedelta
from typing import Any

import pytest

from contracts.followup import ReminderDue, SurveyExpired, SurveyReply, SurveyRequested
from contracts.message import Message
from contracts.router import (
    CaseClosed,
    CaseInformationReceived,
    CaseInformationRequested,
    CaseMarkedSpam,
    CaseMerged,
    CaseReopened,
    CaseResolved,
    CustomerNotified,
    SurveyAnswered,
)
from contracts.values import Cause
from services.followup.domain.state import survey_id_of
from tests.unit.followup.story import MONDAY, SYSTEM, Story, names, policy_with


def closed(story: Story, outcome: str = "confirmed", cycle: int = 1) -> list[Message]:
    return story.told(CaseClosed, state="closed", outcome=outcome, cycle=cycle)


def a_story(**facts: Any) -> Story:  # noqa: ANN401 - any part of a case
    story = Story(policy=policy_with(clocks={}))
    story.opened(phone=None, **facts)
    return story


@pytest.mark.parametrize(("channel", "asked_by"), [("phone", "sms"), ("chat", "chat"), ("email", "email")])
def test_a_closed_case_asks_once_where_the_customer_came_from(channel: str, asked_by: str) -> None:
    (asked,) = closed(a_story(channel=channel))

    assert isinstance(asked, SurveyRequested)
    assert (asked.channel, asked.cycle, asked.expires_at) == (asked_by, 1, MONDAY + timedelta(days=7))


def test_nobody_is_asked_who_never_confirmed_or_was_no_customer() -> None:
    assert closed(a_story(), "confirmation_exhausted") == []
    assert a_story().told(CaseMerged, state="merged") == []
    assert a_story().told(CaseMarkedSpam, state="spam") == []


def test_the_first_answer_counts_and_only_it() -> None:
    story = a_story()
    closed(story)
    survey_id = survey_id_of(story.case_id, 1)

    (reply,) = story.answered(survey_id, 2)

    assert isinstance(reply, SurveyReply)
    assert (reply.overall, reply.cycle) == (2, 1)
    assert story.answered(survey_id, 5) == []
    assert story.pass_by(days=30) == []


def test_an_answer_an_agent_took_down_ends_the_survey_and_our_own_words_do_nothing() -> None:
    story = a_story()
    closed(story)
    survey_id = survey_id_of(story.case_id, 1)
    echo = Cause(id="1", type="caseloop.survey.answered.v1")

    story.told(SurveyAnswered, survey_id=survey_id, cause=echo, by=SYSTEM)
    assert story.case.survey is not None
    story.told(SurveyAnswered, survey_id=survey_id)
    assert story.case.survey is None


def test_a_survey_expires_after_a_week() -> None:
    story = a_story()
    closed(story)

    (expired,) = story.pass_by(days=30)

    assert isinstance(expired, SurveyExpired)
    assert (expired.reason, expired.occurred_at) == ("expired", MONDAY + timedelta(days=7))
    assert story.answered(survey_id_of(story.case_id, 1), 5) == []


def test_reopening_withdraws_the_survey_and_the_next_closing_asks_anew() -> None:
    story = a_story()
    closed(story)

    (withdrawn,) = story.told(CaseReopened, state="queued", cycle=2)
    assert isinstance(withdrawn, SurveyExpired)
    assert withdrawn.reason == "reopened"
    assert story.answered(survey_id_of(story.case_id, 1), 5) == []
    (again,) = closed(story, cycle=2)
    assert isinstance(again, SurveyRequested)
    assert again.survey_id == survey_id_of(story.case_id, 2)


def reminders(messages: list[Message], about: str) -> list[tuple[int, timedelta]]:
    return [
        (message.step, message.occurred_at - MONDAY)
        for message in messages
        if isinstance(message, ReminderDue) and message.about == about
    ]


def test_a_customer_we_wait_for_is_reminded_by_the_ladder_and_no_more() -> None:
    story = a_story()
    story.told(CaseInformationRequested, state="waiting_customer")

    said = story.pass_by(days=30)

    assert reminders(said, "information") == [(1, timedelta(days=1)), (2, timedelta(days=2))]
    assert len(said) == 2, "a case that waits for the customer owes no progress"


def test_an_answer_ends_the_ladder_and_the_next_question_begins_another() -> None:
    story = a_story()
    story.told(CaseInformationRequested, state="waiting_customer")
    story.pass_by(hours=30)
    story.told(CaseInformationReceived, state="assigned")
    assert reminders(story.pass_by(hours=2), "information") == []

    story.told(CaseInformationRequested, state="waiting_customer")
    assert reminders(story.pass_by(hours=25), "information") == [(1, timedelta(hours=56))]


def test_steps_that_were_slept_through_are_one_reminder() -> None:
    story = a_story()
    story.told(CaseResolved, state="solved")
    story.at = MONDAY + timedelta(days=5)

    assert reminders(story.woken(), "confirmation") == [(2, timedelta(days=5))]
    assert story.woken() == []


@pytest.mark.parametrize(("severity", "hours"), [("normal", 24), ("urgent", 2)])
def test_a_case_is_never_silent_too_long(severity: str, hours: int) -> None:
    story = a_story(severity=severity)

    said = story.pass_by(hours=hours * 2)

    assert reminders(said, "progress") == [(1, timedelta(hours=hours)), (2, timedelta(hours=2 * hours))]


def test_any_message_to_the_customer_breaks_the_silence() -> None:
    story = a_story()
    story.pass_by(hours=23)
    assert story.told(CustomerNotified, purpose="milestone", by=SYSTEM) == []

    assert reminders(story.pass_by(hours=24), "progress") == [(1, timedelta(hours=47))]


def test_a_whole_life_ends_with_nothing_left_to_do() -> None:
    story = Story()
    story.opened()
    story.told(CaseResolved, state="solved", solution_option_id="o-1")
    story.pass_by(hours=20)
    closed(story)
    story.pass_by(days=8)

    assert story.pass_by(days=400) == []
    assert names(story.said)[-1] == "survey.expired"
