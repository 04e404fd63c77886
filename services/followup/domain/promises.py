"""What becomes of a time that was told to the customer?"""

from datetime import datetime
from uuid import UUID

from contracts.message import Message, derived_id
from contracts.router import PromiseKept, PromiseMade, PromiseMoved
from services.followup.domain import clocks
from services.followup.domain.calendar import NOTHING
from services.followup.domain.clocks import Clock, Span, Turn
from services.followup.domain.copying import replaced
from services.followup.domain.rules import Occasion
from services.followup.domain.state import CaseFollowup, Decision
from services.followup.domain.watching import apply, begin

PROMISE = "promise"


def promised(state: CaseFollowup, event: PromiseMade | PromiseMoved | PromiseKept, occasion: Occasion) -> Decision:
    """Run a clock to the promised moment, whatever the hour; a move ends the old one and begins another (S2, S3)."""
    match event:
        case PromiseMade():
            return _watch(state, event.promise_id, event.due_at, occasion)
        case PromiseKept():
            kept, said = apply(state, lambda clock: _kept(clock, event.promise_id, occasion), occasion)
            return Decision(_forgotten(kept, event.promise_id), said)
        case PromiseMoved():
            freed, said = apply(state, lambda clock: _moved(clock, event.promise_id, occasion), occasion)
            watched = _watch(freed, event.promise_id, event.due_at, occasion)
            return replaced(watched, messages=(*said, *watched.messages))


def watch_again(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Go on watching promises whose watch ended with the case, now that the case goes on (S2, F3).

    One whose moment passed meanwhile is broken at once.
    """
    over = {clock.promise_id: clock for clock in state.clocks if clock.state == "cancelled"}
    watched = {clock.promise_id for clock in state.clocks if clock.state != "cancelled"}
    messages: tuple[Message, ...] = ()
    for promise_id, clock in over.items():
        if promise_id is not None and promise_id not in watched:
            begun = _watch(_forgotten(state, promise_id), promise_id, clock.spans[0].start + clock.target, occasion)
            state, messages = begun.state, messages + begun.messages
    return Decision(state, messages)


def _forgotten(state: CaseFollowup, promise_id: UUID) -> CaseFollowup:
    """Return the case without the clocks of this promise that were cancelled."""
    rest = tuple(clock for clock in state.clocks if clock.promise_id != promise_id or clock.state != "cancelled")
    return state if len(rest) == len(state.clocks) else replaced(state, clocks=rest)


def _watch(state: CaseFollowup, promise_id: UUID, due_at: datetime, occasion: Occasion) -> Decision:
    rules = occasion.rules
    clock = Clock(
        clock_id=derived_id(promise_id, "clock", due_at.isoformat(), occasion.at.isoformat()),
        name=PROMISE,
        calendar=rules.policy.always_calendar,
        target=max(due_at - occasion.at, NOTHING),
        policy_name=rules.reference.name,
        policy_version=rules.reference.version,
        spans=(Span(occasion.at),),
        warnings=rules.policy.promise.warnings,
        pauses=False,
        promise_id=promise_id,
        cycle=state.cycle,
    )
    return begin(state, clock, occasion)


def _kept(clock: Clock, promise_id: UUID, occasion: Occasion) -> Turn:
    return clocks.meet(clock, occasion.at) if clock.promise_id == promise_id else (clock, ())


def _moved(clock: Clock, promise_id: UUID, occasion: Occasion) -> Turn:
    return clocks.cancel(clock, occasion.at, "moved") if clock.promise_id == promise_id else (clock, ())
