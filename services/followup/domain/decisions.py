"""What does an event of a case, or a moment that came, lead to?"""

from dataclasses import dataclass
from datetime import datetime

from contracts.message import Message
from contracts.policy.followup import Signal
from contracts.router import (
    CallbackCancelled,
    CallbackScheduled,
    CaseClosed,
    CaseMarkedSpam,
    CaseMerged,
    CaseOpened,
    CaseReclassified,
    CaseReopened,
    CaseResolved,
    ClockBreached,
    PromiseKept,
    PromiseMade,
    PromiseMoved,
    RecoveryOpened,
    SurveyAnswered,
)
from contracts.values import CallbackPurpose
from services.followup.domain import callbacks, clocks, reminders, surveys, watching
from services.followup.domain.copying import replaced
from services.followup.domain.memory import first_seen, remember
from services.followup.domain.promises import promised, watch_again
from services.followup.domain.rules import Occasion, Rules, applies
from services.followup.domain.signals import Event, is_echo, signals_of
from services.followup.domain.state import CaseFollowup, Decision

ALL_PURPOSES: tuple[CallbackPurpose, ...] = (
    "requested", "waiting_too_long", "after_resolution", "promise", "recovery", "care", "retention",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Greeting:
    """A conversation that began before its case did, and whether an agent has said something since (R2)."""

    connected_at: datetime
    greeted_at: datetime | None = None


def open_case(event: CaseOpened, occasion: Occasion, greeting: Greeting | None = None) -> Decision:
    """Begin to follow a case, and settle how its conversation was greeted."""
    state = first_seen(event)
    signals = signals_of(state, event)
    state = replaced(state, supervision="needed" if "escalated" in signals else "none")
    greeted = Decision(state) if greeting is None else _greet(state, greeting, occasion)
    followed = watching.follow(greeted.state, signals, occasion)
    return Decision(reminders.wait_for(followed.state, occasion), greeted.messages + followed.messages)


def decide(state: CaseFollowup, event: Event, occasion: Occasion) -> Decision:
    """Take in one event: what it means for clocks, then what follows from it."""
    signals = signals_of(state, event)
    state = reminders.wait_for(remember(state, event, signals), occasion)
    skip = event.clock if isinstance(event, ClockBreached) else None
    followed = watching.follow(state, signals, occasion, skip)
    then = _consequence(followed.state, event, occasion)
    return Decision(then.state, followed.messages + then.messages)


def wake(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Do everything that is due."""
    messages: tuple[Message, ...] = ()
    for part in (watching.tick_all, callbacks.due, surveys.due, reminders.due):
        decided = part(state, occasion)
        state, messages = decided.state, messages + decided.messages
    return Decision(state, messages)


def next_moment(state: CaseFollowup, rules: Rules) -> datetime | None:
    """Return when something of this case is due next: one timer serves them all."""
    moments = [
        *(clock.next_at for clock in state.clocks),
        *(callback.at for callback in state.callbacks if callback.state != "ended"),
        *(ladder.next_at for ladder in state.ladders),
        state.survey.expires_at if state.survey is not None else None,
        reminders.progress_at(state, rules),
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _consequence(state: CaseFollowup, event: Event, occasion: Occasion) -> Decision:
    """Return what follows beyond clocks; what the journal only repeats of our own words leads to nothing."""
    match event:
        case PromiseMade() | PromiseMoved() | PromiseKept():
            return promised(state, event, occasion)
        case CaseReclassified():
            return watching.reclassify(state, occasion)
        case CaseResolved() | CaseReopened() | CaseClosed() | CaseMerged() | CaseMarkedSpam():
            return _turned(state, event, occasion)
        case RecoveryOpened():
            return callbacks.plan(state, "recovery", occasion.rules.policy.callbacks.recovery_after_seconds, occasion)
        case CallbackScheduled() | CallbackCancelled() | SurveyAnswered() if not is_echo(event):
            return _done_by_others(state, event, occasion)
        case _:
            return Decision(state)


def _turned(
    state: CaseFollowup,
    event: CaseResolved | CaseReopened | CaseClosed | CaseMerged | CaseMarkedSpam,
    occasion: Occasion,
) -> Decision:
    match event:
        case CaseResolved():
            call = occasion.rules.call_after_resolution(state, executed=event.solution_option_id is not None)
            planned = None if call is None else callbacks.plan(state, "after_resolution", call.after_seconds, occasion)
            return planned or Decision(state)
        case CaseReopened():
            withdrawn = surveys.end(state, "reopened", occasion)
            dropped = callbacks.drop(withdrawn.state, ("after_resolution",), "the case was reopened", occasion)
            watched = watch_again(dropped.state, occasion)
            return Decision(watched.state, withdrawn.messages + dropped.messages + watched.messages)
        case CaseClosed():
            ended = _end(state, occasion.rules.policy.callbacks.closing_cancels, "closed", occasion)
            asked = surveys.ask(ended.state, event, occasion)
            return Decision(asked.state, ended.messages + asked.messages)
        case CaseMerged() | CaseMarkedSpam():
            ended = _end(state, ALL_PURPOSES, "merged" if isinstance(event, CaseMerged) else "spam", occasion)
            return Decision(replaced(ended.state, survey=None), ended.messages)


def _end(state: CaseFollowup, purposes: tuple[CallbackPurpose, ...], reason: str, occasion: Occasion) -> Decision:
    stopped = watching.end_all(state, reason, occasion)
    dropped = callbacks.drop(stopped.state, purposes, f"the case is {reason}", occasion)
    return Decision(dropped.state, stopped.messages + dropped.messages)


def _done_by_others(
    state: CaseFollowup, event: CallbackScheduled | CallbackCancelled | SurveyAnswered, occasion: Occasion
) -> Decision:
    match event:
        case CallbackScheduled():
            return callbacks.adopt(state, event, occasion)
        case CallbackCancelled():
            return callbacks.withdraw(state, event)
        case SurveyAnswered():
            same = state.survey is not None and state.survey.survey_id == event.survey_id
            return Decision(replaced(state, survey=None) if same else state)


def _greet(state: CaseFollowup, greeting: Greeting, occasion: Occasion) -> Decision:
    """Start the clocks of a connection where it began; somebody may have greeted before there was a case."""
    connected: frozenset[Signal] = frozenset({"connected"})
    spoke: frozenset[Signal] = frozenset({"agent_spoke"})
    messages: tuple[Message, ...] = ()
    for name, rule in occasion.rules.clocks_started_by(connected).items():
        if applies(rule, state):
            begun = watching.start_at(state, name, rule, greeting.connected_at, occasion)
            state, messages = begun.state, messages + begun.messages
    if greeting.greeted_at is not None:
        then = replaced(occasion, at=greeting.greeted_at)
        state, said = watching.apply(state, lambda clock: _met(clock, spoke, then), occasion)
        messages += said
    return Decision(state, messages)


def _met(clock: clocks.Clock, signals: frozenset[Signal], occasion: Occasion) -> clocks.Turn:
    return (clock, ()) if signals.isdisjoint(clock.meet) else clocks.meet(clock, occasion.at)
