"""Which clocks of a case start, stand, go on and end with an event?"""

from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.message import Message, derived_id
from contracts.policy.followup import ClockPolicy, Signal
from services.followup.domain import clocks
from services.followup.domain.clocks import Clock, Span, Turn
from services.followup.domain.copying import replaced
from services.followup.domain.rules import Occasion, applies, target_seconds
from services.followup.domain.state import CaseFollowup, Decision
from services.followup.domain.telling import told

WAITING = "waiting_customer"
RECLASSIFIED = "reclassified"
Change = Callable[[Clock], Turn]


def follow(state: CaseFollowup, signals: frozenset[Signal], occasion: Occasion, skip: str | None = None) -> Decision:
    """Apply one event's signals: met, cancelled, paused or resumed, started, in this order.

    ``skip`` is a clock that must not start: its own breach never starts it again.
    """
    state, said = apply(state, lambda clock: _signalled(clock, signals, state, occasion), occasion)
    begun, more = _start_all(state, occasion.rules.clocks_started_by(signals), occasion, skip)
    return Decision(begun, (*said, *more))


def end_all(state: CaseFollowup, reason: str, occasion: Occasion) -> Decision:
    """Cancel what still runs: the case has ended. Ended clocks are forgotten; ``followups`` keeps their story.

    The clock of a promise that is still open is kept: should the case be reopened, the promise is watched again (S2).
    """
    promised = {clock.clock_id for clock in state.clocks if clock.promise_id is not None and not clock.is_over}
    state, said = apply(state, lambda clock: clocks.cancel(clock, occasion.at, reason), occasion)
    kept = tuple(clock for clock in state.clocks if clock.clock_id in promised and clock.state == "cancelled")
    return Decision(replaced(state, clocks=kept), said)


def tick_all(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Say every warning and breach that is due."""
    state, said = apply(state, lambda clock: _tick(clock, occasion), occasion)
    return Decision(state, said)


def apply(state: CaseFollowup, change: Change, occasion: Occasion) -> tuple[CaseFollowup, tuple[Message, ...]]:
    """Change every clock and return the case with what is to be said."""
    if not state.clocks:
        return state, ()
    turns = [change(clock) for clock in state.clocks]
    steps = [step for _, steps in turns for step in steps]
    if not steps:
        return state, ()
    return replaced(state, clocks=tuple(clock for clock, _ in turns)), tuple(told(steps, state, occasion))


def begin(state: CaseFollowup, clock: Clock, occasion: Occasion) -> Decision:
    """Start this clock, standing when the case waits for the customer."""
    begun, steps = _begun(state, clock, occasion)
    return Decision(replaced(state, clocks=(*state.clocks, begun)), tuple(told(steps, state, occasion)))


def reclassify(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Give running clocks the targets of the new classification, counting the time they ran; start those now due."""
    rules = occasion.rules.policy.clocks
    messages: tuple[Message, ...] = ()
    for clock in state.clocks:
        rule = rules.get(clock.name)
        if clock.is_over or rule is None or not _differs(clock, rule, state, occasion):
            continue
        state, said = apply(state, _only(clock, lambda each: clocks.cancel(each, occasion.at, RECLASSIFIED)), occasion)
        messages += said
        if applies(rule, state):
            begun = begin(state, _rebuilt(clock, rule, state, occasion), occasion)
            state, messages = begun.state, messages + begun.messages
    missing = occasion.rules.clocks_started_by(frozenset({"opened"})) if state.cycle == 1 else {}
    state, said = _start_all(state, missing, occasion, None)
    return Decision(state, messages + said)


def start_at(state: CaseFollowup, name: str, rule: ClockPolicy, at: datetime, occasion: Occasion) -> Decision:
    """Start a clock by its rule at a moment, which may lie in the past."""
    return begin(state, _built(name, rule, (Span(at),), state, occasion), occasion)


def _start_all(
    state: CaseFollowup, wanted: dict[str, ClockPolicy], occasion: Occasion, skip: str | None
) -> tuple[CaseFollowup, tuple[Message, ...]]:
    turns = [
        _begun(state, _built(name, rule, (Span(occasion.at),), state, occasion), occasion)
        for name, rule in wanted.items()
        if name != skip and applies(rule, state) and not _had(state, name, rule)
    ]
    if not turns:
        return state, ()
    begun = replaced(state, clocks=(*state.clocks, *(clock for clock, _ in turns)))
    return begun, tuple(told((step for _, steps in turns for step in steps), state, occasion))


def _begun(state: CaseFollowup, clock: Clock, occasion: Occasion) -> Turn:
    begun, steps = clocks.start(clock, occasion.rules.calendar(clock.calendar))
    if not clock.pauses or state.state != WAITING:
        return begun, steps
    paused, more = clocks.pause(begun, occasion.at, WAITING)
    return paused, (*steps, *more)


def _had(state: CaseFollowup, name: str, rule: ClockPolicy) -> bool:
    """Tell whether the clock runs, or had its turn in this cycle."""
    for clock in state.clocks:
        if clock.name != name or clock.state == "cancelled":
            continue
        if not clock.is_over or (clock.cycle == state.cycle and not rule.again):
            return True
    return False


def _built(name: str, rule: ClockPolicy, spans: tuple[Span, ...], state: CaseFollowup, occasion: Occasion) -> Clock:
    earlier = sum(1 for clock in state.clocks if clock.name == name)
    return Clock(
        clock_id=derived_id(state.case_id, "clock", name, state.cycle, earlier),
        name=name,
        calendar=occasion.rules.calendar_of(state, rule.calendar).name,
        target=timedelta(seconds=target_seconds(rule, state)),
        policy_name=occasion.rules.reference.name,
        policy_version=occasion.rules.reference.version,
        spans=spans,
        meet=rule.meet,
        cancel=rule.cancel,
        warnings=rule.warnings,
        pauses=rule.pauses,
        cycle=state.cycle,
    )


def _rebuilt(clock: Clock, rule: ClockPolicy, state: CaseFollowup, occasion: Occasion) -> Clock:
    """Build the clock anew with the time it ran; a span that ends now is opened again."""
    spans = clock.spans if clock.state == "running" else (*clock.spans, Span(occasion.at))
    return _built(clock.name, rule, spans, state, occasion)


def _differs(clock: Clock, rule: ClockPolicy, state: CaseFollowup, occasion: Occasion) -> bool:
    wanted = occasion.rules.calendar_of(state, rule.calendar).name
    same = clock.target == timedelta(seconds=target_seconds(rule, state)) and clock.calendar == wanted
    return not (same and applies(rule, state))


def _only(chosen: Clock, change: Change) -> Change:
    return lambda clock: change(clock) if clock.clock_id == chosen.clock_id else (clock, ())


def _tick(clock: Clock, occasion: Occasion) -> Turn:
    if clock.next_at is None or occasion.at < clock.next_at:
        return clock, ()
    return clocks.tick(clock, occasion.at, occasion.rules.calendar(clock.calendar))


def _signalled(clock: Clock, signals: frozenset[Signal], state: CaseFollowup, occasion: Occasion) -> Turn:
    if not signals.isdisjoint(clock.meet) and clock.state != "cancelled":
        return clocks.meet(clock, occasion.at)
    if clock.is_over:
        return clock, ()
    if not signals.isdisjoint(clock.cancel):
        return clocks.cancel(clock, occasion.at, min(signals.intersection(clock.cancel)))
    if clock.state == "paused" and state.state != WAITING:
        return clocks.resume(clock, occasion.at, occasion.rules.calendar(clock.calendar))
    if clock.pauses and state.state == WAITING:
        return clocks.pause(clock, occasion.at, WAITING)
    return clock, ()
