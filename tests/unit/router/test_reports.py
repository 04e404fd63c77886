"""What does a case learn from clocks, callbacks, surveys and messages?"""

from contracts import followup, notify
from contracts.message import Message, derived_id
from contracts.router import ClockBreached
from contracts.values import Cause
from services.router.domain.case import Case, Promise, Survey
from services.router.domain.journal import Decision
from services.router.domain.reports import REPORTS, decide_report
from tests.support.examples import example
from tests.unit.router.given import a_case, an_occasion, case_id_of, later, the_policy, types_of

HEAD = {
    "case_id": case_id_of(),
    "occurred_at": later(0),
    "policy": the_policy().ref,
    "cause": Cause(id="c", type="caseloop.timer.clock"),
}
CALL = derived_id(case_id_of(), "callback", "after_resolution")
SURVEY = derived_id("survey")


def report(kind: type[Message], **fields: object) -> Message:
    """Return a complete report with these fields."""
    return kind.model_validate(example(kind).model_dump() | HEAD | fields)


def learned(case: Case, said: Message) -> Decision:
    """Return what the report leads to."""
    return decide_report(case, said, an_occasion(said, later(1)))


def clock(name: str, **fields: object) -> Message:
    """Return a clock that ran out."""
    return report(followup.ClockBroken, **({"clock": name, "promise_id": None} | fields))


def test_every_report_leads_to_an_entry_or_to_nothing() -> None:
    for kind in REPORTS:
        decision = learned(a_case(state="assigned", agent_id="a-1"), report(kind))
        assert len(decision.entries) == decision.case.version - 1


def test_a_breach_raises_the_case_and_leaves_it_with_its_agent() -> None:
    decision = learned(a_case(state="assigned", agent_id="a-1"), clock("resolution"))
    event = decision.entries[0].event
    assert isinstance(event, ClockBreached)
    assert event.escalated
    assert (decision.case.supervisor_needed, decision.case.agent_id) == (True, "a-1")
    assert not learned(a_case(), clock("greeting")).case.supervisor_needed


def test_the_end_of_the_confirmation_ladder_closes_a_solved_case_only() -> None:
    assert types_of(learned(a_case(state="solved"), clock("confirmation"))) == ["closed"]
    assert types_of(learned(a_case(state="queued"), clock("confirmation"))) == []


def test_the_confirmation_ladder_of_an_earlier_cycle_does_not_close_what_was_solved_anew() -> None:
    case = a_case(state="solved", cycle=2, solved_at=later(60))
    assert types_of(learned(case, clock("confirmation", occurred_at=later(59)))) == []
    assert types_of(learned(case, clock("confirmation", occurred_at=later(61)))) == ["closed"]


def test_a_promise_is_breached_once_however_often_it_is_told() -> None:
    promise = Promise(promise_id=derived_id("promise"), what="call", due_at=later(-1))
    case = a_case(state="assigned", agent_id="a-1", promises=(promise,))
    told = learned(case, report(followup.PromiseBroken, promise_id=promise.promise_id, due_at=promise.due_at))
    assert types_of(told) == ["promise_breached"]
    again = learned(told.case, clock("promise", promise_id=promise.promise_id, due_at=promise.due_at))
    assert types_of(again) == []


def test_a_promise_that_was_moved_is_not_breached_at_its_old_time() -> None:
    promise = Promise(promise_id=derived_id("promise"), what="call", due_at=later(600))
    case = a_case(promises=(promise,))
    late = report(followup.PromiseBroken, promise_id=promise.promise_id, due_at=later(-1))
    assert types_of(learned(case, late)) == []


def test_the_echo_of_a_planned_call_says_nothing_and_a_moved_one_does() -> None:
    planned = report(followup.CallbackPlanned, callback_id=CALL, purpose="after_resolution", at=later(60))
    first = learned(a_case(state="solved"), planned)
    assert types_of(first) == ["callback_scheduled"]
    assert types_of(learned(first.case, planned)) == []
    moved = report(followup.CallbackPlanned, callback_id=CALL, purpose="after_resolution", at=later(90))
    assert types_of(learned(first.case, moved)) == ["callback_scheduled"]


def test_a_call_after_a_resolution_that_was_rejected_meanwhile_is_not_told() -> None:
    call = {"callback_id": CALL, "purpose": "after_resolution", "occurred_at": later(1)}
    planned, dropped = report(followup.CallbackPlanned, **call), report(followup.CallbackDropped, **call)
    for case in (a_case(cycle=2), a_case(state="solved", cycle=2, solved_at=later(2))):
        assert types_of(learned(case, planned)) == []
        assert types_of(learned(case, dropped)) == []
    told = learned(a_case(state="solved", solved_at=later(1)), planned).case
    again = learned(told.model_copy(update={"state": "queued", "cycle": 2}), dropped)
    assert types_of(again) == ["callback_cancelled"]
    assert types_of(learned(again.case, dropped)) == []
    asked = report(followup.CallbackPlanned, callback_id=CALL, purpose="waiting_too_long")
    assert types_of(learned(a_case(), asked)) == ["callback_scheduled"]


def test_a_word_on_the_phone_counts_like_any_other() -> None:
    done = {"callback_id": CALL, "purpose": "after_resolution", "attempt": 1}
    yes, no = (report(followup.CallbackDone, solved=solved, **done) for solved in (True, False))
    assert types_of(learned(a_case(state="solved"), yes)) == ["callback_completed", "closed"]
    assert types_of(learned(a_case(state="solved"), no)) == ["callback_completed", "resolution_rejected", "reopened"]
    assert types_of(learned(a_case(state="assigned", agent_id="a-1"), no)) == ["callback_completed"]


def test_a_low_verdict_opens_a_recovery_once() -> None:
    case = a_case(state="closed", survey=Survey(survey_id=SURVEY))
    fair = {"survey_id": SURVEY, "response_speed": 4, "effectiveness": 4, "attitude": 4, "overall": 4}
    assert types_of(learned(case, report(followup.SurveyReply, **fair))) == ["survey_answered"]
    for low in ({"overall": 2}, {"attitude": 1}):
        told = learned(case, report(followup.SurveyReply, **(fair | low)))
        assert types_of(told) == ["survey_answered", "recovery_opened"]
        assert types_of(learned(told.case, report(followup.SurveyReply, **fair))) == []


def test_what_the_customer_was_told_stands_on_the_case() -> None:
    for purpose, told in (("milestone", ["customer_notified"]), ("thanks", []), ("survey", [])):
        sent = report(notify.NotificationSent, purpose=purpose)
        assert types_of(learned(a_case(state="closed"), sent)) == told
    assert types_of(learned(a_case(), report(notify.NotificationUndelivered))) == ["notification_failed"]


def test_a_verdict_asked_for_before_the_case_went_on_is_not_told() -> None:
    asked = report(followup.SurveyRequested, survey_id=SURVEY, cycle=1)
    assert types_of(learned(a_case(state="closed"), asked)) == ["survey_sent"]
    assert types_of(learned(a_case(state="queued", cycle=2), asked)) == []
