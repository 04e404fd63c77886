"""Which clocks does a case get by the standard policy, and what ends them?"""

from datetime import timedelta
from typing import Any

import pytest

from contracts.followup import ClockBroken, ClockMet, ClockStarted
from contracts.message import Message, derived_id
from contracts.router import (
    CaseAssigned,
    CaseClosed,
    CaseContactAttached,
    CaseEscalated,
    CaseInformationReceived,
    CaseInformationRequested,
    CaseMerged,
    CaseProblemRestated,
    CaseReclassified,
    CaseReopened,
    CaseResolved,
    ClockBreached,
    CustomerNotified,
    ResolutionRejected,
    SolutionProposed,
    WorkOrderOpened,
)
from contracts.values import Cause
from services.followup.domain.decisions import Greeting
from tests.unit.followup.story import MONDAY, SYSTEM, Story, names, policy_with, without_wake

HOUR = timedelta(hours=1)


def started(messages: list[Message]) -> dict[str, int]:
    return {message.clock: message.target_seconds for message in messages if isinstance(message, ClockStarted)}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {"first_response": 300, "resolution": 86400}),
        ({"channel": "sms"}, {"first_response": 3600, "resolution": 86400}),
        ({"severity": "urgent", "channel": "sms"}, {"first_response": 300, "resolution": 1800}),
        ({"severity": "important", "channel": "sms"}, {"first_response": 1800, "plan": 7200, "resolution": 7200}),
        ({"channel": "email"}, {"acknowledgement": 300, "first_response": 3600, "resolution": 86400}),
        ({"scenario": "suggestion", "channel": "sms"},
         {"first_response": 3600, "resolution": 86400, "suggestion_reply": 172800}),
        ({"scenario": "complaint", "supervisor_needed": True},
         {"first_response": 300, "resolution": 86400, "supervisor_reply": 600}),
    ],
)  # fmt: skip
def test_a_case_gets_the_clocks_of_its_kind(facts: dict[str, Any], expected: dict[str, int]) -> None:
    assert started(Story().opened(**facts)) == expected


def test_urgent_and_unsafe_cases_run_by_day_and_night_others_in_the_hours_of_the_department() -> None:
    def calendars(**facts: Any) -> set[str]:  # noqa: ANN401 - any part of a case
        said = Story().opened(channel="sms", **facts)
        return {message.calendar for message in said if isinstance(message, ClockStarted)}

    assert calendars(severity="urgent") == calendars(safety=True) == {"always"}
    assert calendars() == {"office"}


def test_an_urgent_case_that_nobody_solves_breaches_after_half_an_hour() -> None:
    story = Story()
    story.opened(severity="urgent", channel="sms")

    said = story.pass_by(hours=1)

    assert names(said) == [
        "clock.warned first_response", "clock.warned first_response", "clock.warned first_response",
        "clock.breached first_response", "clock.warned resolution", "clock.warned resolution",
        "clock.warned resolution", "clock.breached resolution",
    ]  # fmt: skip
    breach = said[-1]
    assert isinstance(breach, ClockBroken)
    assert breach.occurred_at == breach.due_at == MONDAY + HOUR / 2
    assert (breach.elapsed_seconds, breach.business_seconds) == (1800, 1800)
    assert breach.policy.version == "1.0.0"


def test_the_first_word_of_an_agent_meets_the_first_response() -> None:
    story = Story()
    story.opened()
    story.pass_by(seconds=40)

    assert names(story.told(CaseAssigned, state="assigned")) == []
    assert names(story.told(CaseContactAttached, author="customer")) == []
    (met,) = story.told(CaseContactAttached, author="agent", by=SYSTEM)

    assert isinstance(met, ClockMet)
    assert (met.clock, met.elapsed_seconds) == ("first_response", 40)
    assert names(story.told(CaseProblemRestated)) == []


def test_clocks_stand_while_the_customer_is_asked_and_go_on_exactly() -> None:
    story = Story()
    story.opened(severity="urgent", channel="sms")
    story.pass_by(minutes=10)

    assert names(story.told(CaseInformationRequested, state="waiting_customer")) == ["clock.paused resolution"]
    assert "clock.warned resolution" not in names(story.pass_by(hours=30))
    assert names(story.told(CaseInformationReceived, state="assigned")) == ["clock.resumed resolution"]

    resolution = next(clock for clock in story.case.clocks if clock.name == "resolution")
    assert resolution.due_at == story.at + timedelta(minutes=20)


def test_an_acknowledgement_is_met_by_the_message_that_went_out() -> None:
    story = Story()
    story.opened(channel="email")

    assert names(story.told(CustomerNotified, purpose="acknowledgement", by=SYSTEM)) == ["clock.met acknowledgement"]


def test_a_greeting_is_judged_by_when_the_connection_began() -> None:
    early = Greeting(MONDAY - timedelta(seconds=60), MONDAY - timedelta(seconds=52))
    late = Greeting(MONDAY - timedelta(seconds=60), MONDAY - timedelta(seconds=40))
    unspoken = Greeting(MONDAY - timedelta(seconds=4))

    assert names(Story().opened(early, channel="phone"))[:2] == ["clock.started greeting", "clock.met greeting"]
    assert names(Story().opened(late, channel="phone"))[:2] == ["clock.started greeting", "clock.breached greeting"]
    story = Story()
    assert names(story.opened(unspoken, channel="phone"))[:1] == ["clock.started greeting"]
    (breach,) = story.pass_by(seconds=7)
    assert isinstance(breach, ClockBroken)
    assert (breach.clock, breach.occurred_at) == ("greeting", MONDAY + timedelta(seconds=6))


def test_an_escalated_complaint_waits_for_the_supervisor_not_for_the_agent() -> None:
    story = Story()
    story.opened(scenario="complaint")
    story.told(CaseAssigned, state="assigned", agent_id="a-17")
    story.told(CaseProblemRestated)

    assert names(story.told(CaseEscalated, state="queued")) == ["clock.started supervisor_reply"]
    story.told(CaseAssigned, state="assigned", agent_id="s-1")
    assert names(story.told(CaseProblemRestated)) == ["clock.met supervisor_reply"]
    assert names(story.told(CaseEscalated)) == ["clock.started supervisor_reply"], "again, and again a clock"


def test_a_breach_that_escalates_starts_the_supervisors_clock_but_never_its_own_again() -> None:
    story = Story()
    story.opened(scenario="complaint", channel="sms")
    echo: dict[str, Any] = {"escalated": True, "by": SYSTEM, "cause": Cause(id="1", type="caseloop.clock.breached.v1")}

    assert names(story.told(ClockBreached, clock="resolution", **echo)) == ["clock.started supervisor_reply"]
    story.pass_by(minutes=11)
    assert names(story.told(ClockBreached, clock="supervisor_reply", **echo)) == []


def test_each_work_order_has_its_own_clock_for_the_department() -> None:
    story = Story()
    story.opened()

    assert names(story.told(WorkOrderOpened)) == ["clock.started department_contact"]
    assert names(story.told(WorkOrderOpened)) == [], "one runs already"
    assert "clock.met department_contact" in names(story.told(SolutionProposed))
    assert names(story.told(WorkOrderOpened)) == ["clock.started department_contact"]
    first, second = [clock for clock in story.case.clocks if clock.name == "department_contact"]
    assert first.clock_id != second.clock_id


def test_a_solved_case_waits_for_the_customers_word_and_closes_by_the_clock() -> None:
    story = Story()
    story.opened(phone=None)
    said = names(story.told(CaseResolved, state="solved", solution_option_id=None))
    assert said == ["clock.met first_response", "clock.met resolution", "clock.started confirmation"]

    said = names(story.pass_by(days=4))

    assert said == ["care.reminder_due", "care.reminder_due", "clock.breached confirmation"]
    assert names(story.told(CaseClosed, state="closed", outcome="confirmation_exhausted")) == []
    assert story.case.clocks == ()


def test_what_is_not_solved_must_be_closed_within_a_day() -> None:
    story = Story()
    story.opened(phone=None)
    story.told(CaseResolved, state="solved")
    assert names(story.told(ResolutionRejected, state="solved")) == ["clock.cancelled confirmation"]

    (begun,) = story.told(CaseReopened, state="queued", cycle=2)

    assert isinstance(begun, ClockStarted)
    assert (begun.clock, begun.target_seconds, begun.calendar) == ("reopened_resolution", 86400, "always")
    assert "clock.met reopened_resolution" in names(story.told(CaseResolved, state="solved", cycle=2))


def test_a_merged_case_has_no_clocks_and_says_so_once() -> None:
    story = Story()
    story.opened()

    assert names(story.told(CaseMerged, state="merged")) == [
        "clock.cancelled first_response",
        "clock.cancelled resolution",
    ]
    assert story.pass_by(days=40) == []


def test_a_reclassified_case_gets_the_targets_of_its_new_kind_and_keeps_the_time_it_ran() -> None:
    story = Story()
    story.opened(channel="sms")
    story.pass_by(minutes=10)
    event = story.event(CaseReclassified)
    urgent = event.classification.model_copy(update={"severity": "urgent", "scenario": "suggestion", "safety": False})
    story.version -= 1

    said = story.told(CaseReclassified, state="assigned", classification=urgent, department="technical_support")

    assert names(said) == [
        "clock.cancelled first_response", "clock.started first_response",
        "clock.cancelled resolution", "clock.started resolution", "clock.started suggestion_reply",
    ]  # fmt: skip
    resolution = said[3]
    assert isinstance(resolution, ClockStarted)
    assert (resolution.calendar, resolution.due_at) == ("always", MONDAY + HOUR / 2)
    assert names(story.woken()) == ["clock.breached first_response"]


def test_a_case_with_other_clocks_in_its_policy_has_no_others() -> None:
    assert Story(policy=policy_with(clocks={})).opened() == []


def test_a_running_clock_keeps_the_definition_it_was_started_by() -> None:
    story = Story()
    story.opened()
    other = Story(policy=policy_with(clocks={}), state=story.state, version=1)

    assert names(other.told(CaseProblemRestated)) == ["clock.met first_response"]


def test_ids_of_clocks_are_the_same_at_every_run() -> None:
    one, other = Story(), Story()
    one.opened()
    other.opened()

    assert without_wake(one.case) == without_wake(other.case)
    assert one.case.clocks[0].clock_id == derived_id(one.case_id, "clock", "first_response", 1, 0)
