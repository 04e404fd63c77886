"""When is the customer called, and what becomes of each try?

A callback is planned, then called, then either planned again for its next rung or ended. Its moment always lies in the
customer's calling hours, and one that nobody reports on counts as not answered.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.channel import CallReported
from contracts.followup import (
    CallbackDone,
    CallbackDropped,
    CallbackDue,
    CallbackGivenUp,
    CallbackPlanned,
    CallbackTried,
    Followup,
)
from contracts.message import Message
from contracts.router import CallbackCancelled, CallbackScheduled
from contracts.values import CallbackPurpose, CallOutcome
from services.followup.domain.copying import replaced
from services.followup.domain.ladder import next_try_at
from services.followup.domain.rules import Occasion
from services.followup.domain.state import Callback, CaseFollowup, Decision, callback_id_of


def plan(state: CaseFollowup, purpose: CallbackPurpose, after_seconds: int, occasion: Occasion) -> Decision:
    """Plan a call of our own accord; without a number to dial there is none (F1, F5)."""
    if state.phone is None:
        return Decision(state)
    wanted = _Wish(purpose, occasion.at + timedelta(seconds=after_seconds), None, state.phone, state.agent_id)
    callback = _planned(state, wanted, occasion)
    return Decision(_with(state, callback), (_scheduled(state, callback, occasion),))


def adopt(state: CaseFollowup, event: CallbackScheduled, occasion: Occasion) -> Decision:
    """Take over a call that somebody asked for; it moves into the calling hours, and a second request moves it (F2)."""
    wanted = _Wish(
        event.purpose, event.at, event.not_after, event.phone or state.phone, event.agent_id or state.agent_id
    )
    callback = _planned(state, wanted, occasion)
    moved = callback.at != event.at
    return Decision(_with(state, callback), (_scheduled(state, callback, occasion),) if moved else ())


def withdraw(state: CaseFollowup, event: CallbackCancelled) -> Decision:
    """Forget a call that somebody called off; the journal has it already."""
    callback = _find(state, event.callback_id)
    return Decision(state if callback is None else _with(state, replaced(callback, state="ended")))


def drop(state: CaseFollowup, purposes: tuple[CallbackPurpose, ...], reason: str, occasion: Occasion) -> Decision:
    """Call off what is not needed any more."""
    gone = [each for each in state.callbacks if each.state != "ended" and each.purpose in purposes]
    return _drop_all(state, gone, reason, occasion)


def drop_for_live_contact(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Call off calls that the customer, being on the line now, does not need; a wish uttered later stands (F2)."""
    purposes = occasion.rules.policy.callbacks.live_contact.purposes
    gone = [
        each
        for each in state.callbacks
        if each.state == "planned" and each.purpose in purposes and each.asked_at < occasion.at
    ]
    return _drop_all(state, gone, "the customer is in contact", occasion)


def due(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Place calls whose moment came, and count those nobody reported on (F2)."""
    messages: tuple[Message, ...] = ()
    for callback in state.callbacks:
        if callback.state == "ended" or callback.at > occasion.at:
            continue
        decided = (
            _call(state, callback, occasion) if callback.state == "planned" else _silent(state, callback, occasion)
        )
        state, messages = decided.state, messages + decided.messages
    return Decision(state, messages)


def reported(state: CaseFollowup, report: CallReported, occasion: Occasion) -> Decision:
    """Take what became of a try; one that was answered counts however late, others only while they are awaited."""
    callback = _find(state, report.callback_id)
    if callback is None or callback.state == "ended" or report.attempt <= callback.earlier_attempts:
        return Decision(state)
    awaited = report.attempt == callback.attempt and callback.state == "calling"
    if report.outcome != "answered" and not awaited and report.attempt <= callback.attempt:
        return Decision(state)
    tried = replaced(callback, attempt=max(callback.attempt, report.attempt))
    if report.outcome != "answered":
        return _failed(state, tried, report.outcome, occasion)
    done = CallbackDone(
        **_facts(state, callback, occasion),
        attempt=report.attempt,
        solved=report.solved,
        text=report.text,
        at=report.at,
    )
    return Decision(_with(state, replaced(tried, state="ended")), (done,))


class _Wish:
    """What a call should be like."""

    __slots__ = ("agent_id", "at", "not_after", "phone", "purpose")

    def __init__(
        self,
        purpose: CallbackPurpose,
        at: datetime,
        not_after: datetime | None,
        phone: str | None,
        agent_id: str | None,
    ) -> None:
        self.purpose = purpose
        self.at = at
        self.not_after = not_after
        self.phone = phone
        self.agent_id = agent_id


def _planned(state: CaseFollowup, wish: _Wish, occasion: Occasion) -> Callback:
    """Return the callback of this purpose with a new plan; tries are numbered on, so that a number names one call."""
    callback_id = callback_id_of(state.case_id, wish.purpose)
    known = _find(state, callback_id)
    expiry = timedelta(seconds=occasion.rules.policy.callbacks.expiry_seconds)
    return Callback(
        callback_id=callback_id,
        purpose=wish.purpose,
        state="planned",
        at=occasion.rules.calling_hours(state.time_zone).first_open_at(wish.at),
        not_after=wish.not_after or max(wish.at, occasion.at) + expiry,
        asked_at=occasion.at,
        phone=wish.phone,
        agent_id=wish.agent_id,
        attempt=known.attempt if known else 0,
        earlier_attempts=known.attempt if known else 0,
    )


def _call(state: CaseFollowup, callback: Callback, occasion: Occasion) -> Decision:
    """Have the call placed, unless it came too late, or at an hour at which nobody wants to be called."""
    hours = occasion.rules.calling_hours(state.time_zone)
    opens_at = hours.first_open_at(occasion.at)
    if occasion.at >= callback.not_after or opens_at >= callback.not_after:
        return _give_up(state, callback, occasion)
    if callback.phone is None:
        return _drop_all(state, [callback], "no phone number is known", occasion)
    if opens_at > occasion.at:
        later = replaced(callback, at=opens_at)
        return Decision(_with(state, later), (_scheduled(state, later, occasion),))
    return _place(state, callback, callback.phone, hours.closes_at(occasion.at), occasion)


def _place(
    state: CaseFollowup, callback: Callback, phone: str, closes_at: datetime | None, occasion: Occasion
) -> Decision:
    rules = occasion.rules
    report_until = occasion.at + timedelta(seconds=rules.policy.callbacks.report_seconds)
    calling = replaced(callback, state="calling", attempt=callback.attempt + 1, at=report_until)
    message = CallbackDue(
        **_facts(state, callback, occasion),
        attempt=calling.attempt,
        phone=phone,
        agent_id=callback.agent_id,
        mode=rules.policy.callbacks.mode,
        not_before=occasion.at,
        not_after=min(report_until, callback.not_after, closes_at or report_until),
        script=rules.script(callback.purpose, state.language),
    )
    return Decision(_with(state, calling), (message,))


def _silent(state: CaseFollowup, callback: Callback, occasion: Occasion) -> Decision:
    return _failed(state, callback, "no_answer", occasion)


def _failed(state: CaseFollowup, callback: Callback, outcome: CallOutcome, occasion: Occasion) -> Decision:
    """Count the try and plan the next rung of the ladder, or give up."""
    counted = replaced(
        callback,
        machines=callback.machines + (outcome == "machine"),
        failures=callback.failures + (outcome not in ("machine", "agent_unavailable")),
    )
    next_at = next_try_at(state, counted, outcome, occasion)
    tried = CallbackTried(
        **_facts(state, callback, occasion),
        attempt=callback.attempt,
        outcome=outcome,
        next_at=next_at,
    )
    if next_at is None:
        given_up = _give_up(state, counted, occasion)
        return Decision(given_up.state, (tried, *given_up.messages))
    return Decision(_with(state, replaced(counted, state="planned", at=next_at)), (tried,))


def _give_up(state: CaseFollowup, callback: Callback, occasion: Occasion) -> Decision:
    message = CallbackGivenUp(**_facts(state, callback, occasion), attempts=callback.failures + callback.machines)
    return Decision(_with(state, replaced(callback, state="ended")), (message,))


def _drop_all(state: CaseFollowup, gone: list[Callback], reason: str, occasion: Occasion) -> Decision:
    messages = tuple(CallbackDropped(**_facts(state, callback, occasion), reason=reason) for callback in gone)
    for callback in gone:
        state = _with(state, replaced(callback, state="ended"))
    return Decision(state, messages)


def _scheduled(state: CaseFollowup, callback: Callback, occasion: Occasion) -> Followup:
    return CallbackPlanned(
        **_facts(state, callback, occasion),
        at=callback.at,
        not_after=callback.not_after,
        phone=callback.phone,
        agent_id=callback.agent_id,
    )


def _facts(state: CaseFollowup, callback: Callback, occasion: Occasion) -> dict[str, Any]:
    return {
        "case_id": state.case_id,
        "occurred_at": occasion.at,
        "policy": occasion.rules.reference,
        "cause": occasion.cause,
        "callback_id": callback.callback_id,
        "purpose": callback.purpose,
    }


def _find(state: CaseFollowup, callback_id: UUID) -> Callback | None:
    return next((callback for callback in state.callbacks if callback.callback_id == callback_id), None)


def _with(state: CaseFollowup, callback: Callback) -> CaseFollowup:
    others = tuple(each for each in state.callbacks if each.callback_id != callback.callback_id)
    return replaced(state, callbacks=(*others, callback))
