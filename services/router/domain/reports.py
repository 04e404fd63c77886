"""What does a case learn from the clocks, callbacks, surveys and messages of other services? (S2, S3, F2-F5, L1)"""

from collections.abc import Callable, Mapping
from typing import Any

from contracts import followup, notify
from contracts.message import Message
from contracts.router import (
    CallbackAttempted,
    CallbackCancelled,
    CallbackCompleted,
    CallbackExhausted,
    ClockBreached,
    ClockWarned,
    CustomerNotified,
    NotificationFailed,
    SurveyAnswered,
    SurveySent,
)
from services.router.domain.caring import scheduled, surveyed, with_callback
from services.router.domain.case import LIVE, OPEN, Callback, Case, Survey, evolve
from services.router.domain.closing import closed, verdict
from services.router.domain.journal import Decision, Occasion, nothing, stamp, tell
from services.router.domain.priority import priority
from services.router.domain.promising import breach_promise

CONFIRMATION = "confirmation"
"""The clock of the ladder at whose end a solved case closes without the customer's word (L1)."""


def decide_report(case: Case, report: Message, occasion: Occasion) -> Decision:
    """Return what this report leads to: nothing, when the case knows it already or it has no meaning any more."""
    return REPORTS[type(report)](case, report, occasion)


def _warned(case: Case, report: followup.ClockWarning, occasion: Occasion) -> Decision:
    if case.state not in LIVE:
        return nothing(case)
    return tell(
        case,
        ClockWarned(
            **stamp(case, occasion),
            clock=report.clock,
            clock_id=report.clock_id,
            percent=report.percent,
            due_at=report.due_at or occasion.now,
            promise_id=report.promise_id,
        ),
    )


def _clock_broken(case: Case, report: followup.ClockBroken, occasion: Occasion) -> Decision:
    """Raise the case when policy says so; whoever works on it keeps it, its next queue is the supervisor's."""
    due_at = report.due_at or occasion.now
    if report.promise_id is not None:
        return breach_promise(case, report.promise_id, due_at, occasion)
    if report.clock == CONFIRMATION:
        waited = case.state == "solved" and not _of_an_earlier_solution(case, report)
        return closed(case, "confirmation_exhausted", occasion) if waited else nothing(case)
    if case.state not in LIVE:
        return nothing(case)
    routing = occasion.policy.routing
    escalated = report.clock in routing.escalating_clocks and case.state != "solved"
    after = evolve(case, supervisor_needed=case.supervisor_needed or escalated)
    after = evolve(after, priority=priority(after, occasion.now, routing.priority))
    return tell(
        after,
        ClockBreached(
            **stamp(after, occasion),
            clock=report.clock,
            clock_id=report.clock_id,
            due_at=due_at,
            escalated=escalated,
            priority=after.priority,
        ),
    )


def _promise_broken(case: Case, report: followup.PromiseBroken, occasion: Occasion) -> Decision:
    return breach_promise(case, report.promise_id, report.due_at, occasion)


def _planned(case: Case, report: followup.CallbackPlanned, occasion: Occasion) -> Decision:
    """Tell a call that was planned or moved, unless the case told it itself, or was reopened meanwhile (F3)."""
    if report.purpose == "after_resolution" and (case.state in OPEN or _of_an_earlier_solution(case, report)):
        return nothing(case)
    known = case.callback(report.callback_id)
    phone = report.phone or (known.phone if known else None)
    callback = Callback(callback_id=report.callback_id, purpose=report.purpose, at=report.at, phone=phone)
    if callback == known:
        return nothing(case)
    return scheduled(case, callback, report.not_after, report.agent_id, occasion)


def _tried(case: Case, report: followup.CallbackTried, occasion: Occasion) -> Decision:
    return tell(
        case,
        CallbackAttempted(
            **stamp(case, occasion),
            callback_id=report.callback_id,
            purpose=report.purpose,
            attempt=report.attempt,
            outcome=report.outcome,
            next_at=report.next_at,
        ),
    )


def _done(case: Case, report: followup.CallbackDone, occasion: Occasion) -> Decision:
    """Keep what the customer said on the phone; a word on the resolution counts like any other (F3, L1)."""
    after = with_callback(case, _known(case, report, occasion).model_copy(update={"state": "done"}))
    told = tell(
        after,
        CallbackCompleted(
            **stamp(after, occasion),
            callback_id=report.callback_id,
            purpose=report.purpose,
            attempt=report.attempt,
            solved=report.solved,
            text=report.text,
            at=report.at,
        ),
    )
    solved = report.solved
    if solved is None or case.state not in {"solved", "closed"}:
        return told
    return told.then(lambda current: verdict(current, solved, report.text, occasion))


def _given_up(case: Case, report: followup.CallbackGivenUp, occasion: Occasion) -> Decision:
    after = with_callback(case, _known(case, report, occasion).model_copy(update={"state": "exhausted"}))
    return tell(
        after,
        CallbackExhausted(
            **stamp(after, occasion),
            callback_id=report.callback_id,
            purpose=report.purpose,
            attempts=report.attempts,
        ),
    )


def _dropped(case: Case, report: followup.CallbackDropped, occasion: Occasion) -> Decision:
    known = case.callback(report.callback_id)
    if known is None or known.state != "planned":
        return nothing(case)
    after = with_callback(case, known.model_copy(update={"state": "cancelled"}))
    return tell(
        after,
        CallbackCancelled(
            **stamp(after, occasion),
            callback_id=report.callback_id,
            purpose=report.purpose,
            reason=report.reason,
        ),
    )


def _of_an_earlier_solution(case: Case, report: followup.Followup) -> bool:
    """Tell whether this happened before the case was solved as it is now: it speaks of a cycle that is over (F3)."""
    return case.solved_at is not None and report.occurred_at < case.solved_at


def _known(case: Case, report: followup.CallbackMessage, occasion: Occasion) -> Callback:
    fresh = Callback(callback_id=report.callback_id, purpose=report.purpose, at=occasion.now)
    return case.callback(report.callback_id) or fresh


def _asked(case: Case, report: followup.SurveyRequested, occasion: Occasion) -> Decision:
    """Tell that a verdict was asked for, unless the case goes on by now: then the question is withdrawn (F4)."""
    if report.cycle != case.cycle:
        return nothing(case)
    after = evolve(case, survey=Survey(survey_id=report.survey_id))
    return tell(
        after,
        SurveySent(
            **stamp(after, occasion),
            survey_id=report.survey_id,
            customer_id=report.customer_id,
            channel=report.channel,
            conversation_id=report.conversation_id,
            cycle=report.cycle,
            expires_at=report.expires_at,
        ),
    )


def _answered(case: Case, report: followup.SurveyReply, occasion: Occasion) -> Decision:
    """Keep the verdict once; an agent may have taken it down before."""
    if case.survey is not None and case.survey == Survey(survey_id=report.survey_id, answered=True):
        return nothing(case)
    event = SurveyAnswered(
        **stamp(case, occasion),
        survey_id=report.survey_id,
        response_speed=report.response_speed,
        effectiveness=report.effectiveness,
        attitude=report.attitude,
        overall=report.overall,
        text=report.text,
        via="message",
    )
    return surveyed(case, event, occasion)


def _sent(case: Case, report: notify.NotificationSent, occasion: Occasion) -> Decision:
    """Put on the journal what was told, unless the event that it was sent for says as much (S4)."""
    if report.purpose in occasion.policy.routing.implied_purposes:
        return nothing(case)
    return tell(
        case,
        CustomerNotified(
            **stamp(case, occasion),
            delivery_id=report.delivery_id,
            purpose=report.purpose,
            channel=report.channel,
            milestone=report.milestone,
            sent_at=report.occurred_at,
            provider=report.provider,
        ),
    )


def _undelivered(case: Case, report: notify.NotificationUndelivered, occasion: Occasion) -> Decision:
    return tell(
        case,
        NotificationFailed(
            **stamp(case, occasion),
            delivery_id=report.delivery_id,
            purpose=report.purpose,
            channel=report.channel,
            milestone=report.milestone,
            reason=report.reason or "no reason given",
        ),
    )


REPORTS: Mapping[type[Message], Callable[[Case, Any, Occasion], Decision]] = {
    followup.ClockWarning: _warned,
    followup.ClockBroken: _clock_broken,
    followup.PromiseBroken: _promise_broken,
    followup.CallbackPlanned: _planned,
    followup.CallbackTried: _tried,
    followup.CallbackDone: _done,
    followup.CallbackGivenUp: _given_up,
    followup.CallbackDropped: _dropped,
    followup.SurveyRequested: _asked,
    followup.SurveyReply: _answered,
    notify.NotificationSent: _sent,
    notify.NotificationUndelivered: _undelivered,
}
"""What is not here (clocks started or met, messages delivered) changes no case and stays on its own topic."""
