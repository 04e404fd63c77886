"""Is a promise watched up to the very moment that was promised, moved, kept, or told to be broken?"""

from datetime import timedelta

from contracts.followup import ClockWarning, PromiseAtRisk, PromiseBroken
from contracts.message import Message, derived_id
from contracts.router import CaseClosed, CaseProblemRestated, CaseReopened, PromiseKept, PromiseMade, PromiseMoved
from tests.unit.followup.story import MONDAY, SYSTEM, Story, names

PROMISE = derived_id("promise")
DUE = MONDAY + timedelta(hours=4, microseconds=123_456)


def promised(story: Story) -> Story:
    story.opened(channel="sms")
    story.told(CaseProblemRestated, state="assigned")
    assert names(story.told(PromiseMade, promise_id=PROMISE, due_at=DUE)) == ["clock.started promise"]
    return story


def about_promises(messages: list[Message]) -> list[Message]:
    return [message for message in messages if getattr(message, "promise_id", None) == PROMISE]


def test_somebody_is_warned_three_times_before_it_is_broken_at_its_moment() -> None:
    said = about_promises(promised(Story()).pass_by(hours=5))

    warned = [message for message in said if isinstance(message, PromiseAtRisk)]
    assert [message.percent for message in warned] == [50, 75, 90]
    assert [message.percent for message in said if isinstance(message, ClockWarning)] == [50, 75, 90]
    assert warned[0].occurred_at == MONDAY + (DUE - MONDAY) / 2
    (broken,) = [message for message in said if isinstance(message, PromiseBroken)]
    assert broken.due_at == broken.occurred_at == DUE


def test_a_kept_promise_is_silent_afterwards() -> None:
    story = promised(Story())
    story.pass_by(hours=1)

    assert names(story.told(PromiseKept, promise_id=PROMISE)) == ["clock.met promise"]
    assert about_promises(story.pass_by(hours=9)) == []


def test_a_moved_promise_runs_to_its_new_moment() -> None:
    story = promised(Story())
    story.pass_by(hours=3)
    later = DUE + timedelta(hours=24)

    said = story.told(PromiseMoved, promise_id=PROMISE, due_at=later, previous_due_at=DUE)
    assert names(said) == ["clock.cancelled promise", "clock.started promise"]

    broken = [message for message in story.pass_by(hours=48) if isinstance(message, PromiseBroken)]
    assert [message.occurred_at for message in broken] == [later]


def test_closing_ends_the_promise() -> None:
    story = promised(Story())

    assert "clock.cancelled promise" in names(story.told(CaseClosed, state="closed", outcome="confirmed"))
    assert about_promises(story.pass_by(hours=9)) == []


def test_a_promise_taken_over_from_a_merged_case_is_watched_and_nobody_has_spoken() -> None:
    story = Story()
    story.opened()
    assert names(story.told(PromiseMade, promise_id=PROMISE, due_at=DUE, by=SYSTEM)) == ["clock.started promise"]
    (broken,) = [message for message in story.pass_by(hours=9) if isinstance(message, PromiseBroken)]
    assert broken.due_at == DUE


def test_a_promise_taken_over_after_its_moment_is_broken_at_once() -> None:
    story = Story()
    story.opened()
    said = story.told(PromiseMade, promise_id=PROMISE, due_at=MONDAY - timedelta(minutes=1), by=SYSTEM)
    said += story.woken()
    assert [type(message) for message in about_promises(said)].count(PromiseBroken) == 1


def test_a_promise_of_a_reopened_case_is_watched_again() -> None:
    story = promised(Story())
    story.told(CaseClosed, state="closed", outcome="confirmed")
    story.pass_by(hours=1)

    assert "clock.started promise" in names(story.told(CaseReopened, state="queued", cycle=2))
    (broken,) = [message for message in story.pass_by(hours=9) if isinstance(message, PromiseBroken)]
    assert broken.due_at == DUE


def test_a_promise_whose_moment_passed_while_the_case_was_closed_is_broken_when_it_goes_on() -> None:
    story = promised(Story())
    story.told(CaseClosed, state="closed", outcome="confirmed")
    story.pass_by(hours=9)
    story.told(CaseReopened, state="queued", cycle=2)

    assert [type(message) for message in about_promises(story.pass_by(hours=1))].count(PromiseBroken) == 1


def test_a_promise_kept_while_the_case_was_closed_stays_kept() -> None:
    story = promised(Story())
    story.told(CaseClosed, state="closed", outcome="confirmed")
    story.told(PromiseKept, state="closed", promise_id=PROMISE)

    assert about_promises(story.told(CaseReopened, state="queued", cycle=2)) == []


def test_a_moved_promise_is_watched_once_when_a_solved_case_is_reopened() -> None:
    story = promised(Story())
    story.told(PromiseMoved, promise_id=PROMISE, due_at=DUE + timedelta(hours=1), previous_due_at=DUE)

    assert about_promises(story.told(CaseReopened, state="queued", cycle=2)) == []


def test_the_wait_for_the_customer_does_not_move_a_promised_moment() -> None:
    story = promised(Story())
    story.told(CaseProblemRestated, state="waiting_customer")

    broken = [message for message in story.pass_by(hours=9) if isinstance(message, PromiseBroken)]
    assert [message.occurred_at for message in broken] == [DUE]
