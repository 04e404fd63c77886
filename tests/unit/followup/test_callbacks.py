"""Is the customer called when promised, in hours that suit, as often as the ladder says, and not once more?"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.followup import CallbackDone, CallbackDue, CallbackGivenUp, CallbackPlanned, CallbackTried
from contracts.message import Message
from contracts.router import (
    CallbackCancelled,
    CallbackScheduled,
    CaseClosed,
    CaseReopened,
    CaseResolved,
    RecoveryOpened,
)
from contracts.values import Cause
from services.followup.domain.state import callback_id_of
from tests.unit.followup.story import MONDAY, STANDARD, SYSTEM, Story, names, policy_with

QUIET = {"clocks": {}, "reminders": STANDARD.followup.reminders.model_copy(
    update={"confirmation_seconds": (), "progress_seconds": 315_360_000, "progress_by_severity": {}}
)}  # fmt: skip
ECHO = Cause(id="1", type="caseloop.callback.scheduled.v1")


def a_story(at: datetime = MONDAY, **facts: Any) -> Story:  # noqa: ANN401 - any part of a case
    """A case with callbacks and nothing else that time would bring about."""
    story = Story(policy=policy_with(**QUIET), at=at)
    story.opened(**facts)
    return story


def resolved(story: Story, option: str | None = None) -> CallbackPlanned:
    (planned,) = story.told(CaseResolved, state="solved", solution_option_id=option)
    assert isinstance(planned, CallbackPlanned)
    return planned


def scheduled(story: Story, at: datetime, **fields: Any) -> list[Message]:  # noqa: ANN401 - any part of a case
    return story.told(CallbackScheduled, purpose="requested", at=at, not_after=None, **fields)


def requested(story: Story) -> UUID:
    return callback_id_of(story.case_id, "requested")


def called(story: Story) -> CallbackDue:
    (due,) = story.until(story.case.callbacks[0].at)
    assert isinstance(due, CallbackDue)
    return due


@pytest.mark.parametrize(
    ("facts", "option", "within"),
    [
        ({"scenario": "complaint"}, None, timedelta(minutes=15)),
        ({"severity": "urgent"}, "o-1", timedelta(minutes=15)),
        ({}, "o-1", timedelta(hours=1)),
        ({}, None, timedelta(hours=24)),
    ],
)
def test_after_resolution_the_customer_is_called_within_the_time_of_its_kind(
    facts: dict[str, Any], option: str | None, within: timedelta
) -> None:
    planned = resolved(a_story(**facts), option)

    assert MONDAY < planned.at <= MONDAY + within
    assert planned.phone == "+8613800005678"


def test_a_call_in_quiet_hours_waits_for_the_customers_morning() -> None:
    night = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)

    assert resolved(a_story(night, scenario="complaint")).at == datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
    in_berlin = resolved(a_story(night, scenario="complaint", time_zone="Europe/Berlin"))
    assert in_berlin.at == night + timedelta(minutes=10)
    assert resolved(a_story(night, scenario="complaint", time_zone="Nowhere/At_All")).at.hour == 1


def test_nobody_is_called_without_a_number() -> None:
    assert a_story(phone=None).told(CaseResolved, state="solved") == []
    story = a_story(phone=None)
    scheduled(story, MONDAY, phone=None)
    assert names(story.pass_by(hours=1)) == ["callback.cancelled"]


def test_the_call_is_placed_at_its_moment_with_script_and_bounds() -> None:
    story = a_story()
    assert scheduled(story, MONDAY + timedelta(minutes=30)) == []

    due = called(story)

    assert (due.attempt, due.not_before, due.mode) == (1, MONDAY + timedelta(minutes=30), "agent_first")
    assert due.not_after == due.not_before + timedelta(minutes=30)
    assert due.script.startswith("客户要求回电")


def test_the_ladder_is_climbed_rung_by_rung_and_then_given_up() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    waits = []
    for attempt in (1, 2, 3, 4):
        story.until(max(story.at, next(callback.at for callback in story.case.callbacks)))
        said = story.reported(requested(story), attempt, "busy")
        assert isinstance(said[0], CallbackTried)
        waits.append(said[0].next_at and said[0].next_at - story.at)
    assert waits == [timedelta(minutes=15), timedelta(hours=2), timedelta(hours=20, minutes=45), None]
    assert names(said) == ["callback.attempted", "callback.exhausted"]
    assert isinstance(said[1], CallbackGivenUp)
    assert said[1].attempts == 4
    assert story.pass_by(days=60) == []


def test_a_call_nobody_reports_on_counts_as_not_answered() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    called(story)

    story.until(MONDAY + timedelta(minutes=31))
    said = [message for message in story.said if isinstance(message, CallbackTried)]
    assert [(message.attempt, message.outcome) for message in said] == [(1, "no_answer")]


def test_an_agent_who_was_not_free_is_no_failed_try() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    for attempt in range(1, 9):
        story.until(max(story.at, story.case.callbacks[0].at))
        (tried,) = story.reported(requested(story), attempt, "agent_unavailable")
        assert isinstance(tried, CallbackTried)
        assert tried.next_at == story.at + timedelta(seconds=120)
    assert story.case.callbacks[0].failures == 0


def test_an_answering_machine_is_counted_for_itself() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    outcomes = []
    for attempt in (1, 2, 3):
        story.until(max(story.at, story.case.callbacks[0].at))
        outcomes += names(story.reported(requested(story), attempt, "machine"))
    assert outcomes == ["callback.attempted", "callback.attempted", "callback.attempted", "callback.exhausted"]


def test_a_wrong_number_is_not_called_again() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    story.pass_by(seconds=1)

    assert names(story.reported(requested(story), 1, "wrong_number")) == ["callback.attempted", "callback.exhausted"]


def test_an_answer_counts_once_however_late_it_is_reported() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    story.pass_by(minutes=31)

    (done,) = story.reported(requested(story), 1, "answered", solved=True)

    assert isinstance(done, CallbackDone)
    assert (done.solved, done.attempt) == (True, 1)
    assert story.reported(requested(story), 1, "answered", solved=False) == []
    assert story.pass_by(days=40) == []


def test_late_and_repeated_reports_of_failures_change_nothing() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    story.pass_by(seconds=1)
    story.reported(requested(story), 1, "busy")

    assert story.reported(requested(story), 1, "no_answer") == []
    story.pass_by(minutes=16)
    assert story.reported(requested(story), 1, "busy") == []


def test_asking_again_moves_the_call_and_numbers_its_tries_on() -> None:
    story = a_story()
    scheduled(story, MONDAY)
    story.pass_by(seconds=1)
    scheduled(story, MONDAY + timedelta(hours=2))

    assert len(story.case.callbacks) == 1
    (due,) = story.until(MONDAY + timedelta(hours=2))
    assert isinstance(due, CallbackDue)
    assert due.attempt == 2


def test_a_call_wanted_at_night_is_moved_and_the_move_is_told() -> None:
    story = a_story()

    (moved,) = scheduled(story, datetime(2026, 11, 2, 19, 0, tzinfo=UTC))

    assert isinstance(moved, CallbackPlanned)
    assert moved.at == datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
    assert scheduled(story, moved.at, cause=ECHO, by=SYSTEM) == []
    assert story.case.callbacks[0].at == moved.at


def test_a_call_that_could_not_be_placed_in_its_window_expires() -> None:
    story = a_story()
    story.told(CallbackScheduled, purpose="requested", at=MONDAY, not_after=MONDAY + timedelta(minutes=10))
    story.at = MONDAY + timedelta(minutes=20)

    assert names(story.woken()) == ["callback.exhausted"]


def test_closing_or_reopening_or_calling_off_ends_the_call() -> None:
    closed, reopened, called_off = a_story(), a_story(), a_story()
    resolved(closed)
    resolved(reopened)
    scheduled(called_off, MONDAY + timedelta(hours=1))

    assert names(closed.told(CaseClosed, state="closed", outcome="confirmation_exhausted")) == ["callback.cancelled"]
    assert names(reopened.told(CaseReopened, state="queued", cycle=2)) == ["callback.cancelled"]
    assert called_off.told(CallbackCancelled, callback_id=requested(called_off)) == []
    for story in (closed, reopened, called_off):
        assert story.pass_by(days=40) == []


def test_a_customer_on_the_line_need_not_be_called_back_unless_that_was_asked_for_since() -> None:
    story = a_story()
    scheduled(story, MONDAY + timedelta(hours=1))
    assert story.live_contact() == []
    story.pass_by(minutes=1)
    assert names(story.live_contact()) == ["callback.cancelled"]


def test_a_low_score_leads_to_a_call_although_the_case_is_closed() -> None:
    story = a_story()
    story.told(CaseClosed, state="closed", outcome="by_hand", cycle=1)

    (planned,) = story.told(RecoveryOpened, cause=Cause(id="1", type="caseloop.survey.answered.v1"), by=SYSTEM)

    assert isinstance(planned, CallbackPlanned)
    assert (planned.purpose, planned.at) == ("recovery", MONDAY + timedelta(hours=1))
