"""What becomes of a time that was told to the customer? (S2, S3)"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from contracts.desk import KeepPromise, MakePromise, MovePromise
from contracts.router import PromiseBreached, PromiseKept, PromiseMade, PromiseMoved
from services.router.domain.case import Case, Promise, evolve
from services.router.domain.journal import SYSTEM, Decision, Occasion, Refusal, nothing, stamp, tell
from services.router.domain.priority import priority


def make_promise(case: Case, command: MakePromise, occasion: Occasion) -> Decision | Refusal:
    """Keep a promise; from now on a clock runs for it (S2)."""
    if case.promise(command.promise_id) is not None:
        return Refusal("promise_exists", "This case has a promise with this id; move it, or choose a new id.")
    if command.due_at <= occasion.now:
        return _past()
    return _made(case, Promise(promise_id=command.promise_id, what=command.what, due_at=command.due_at), occasion)


def take_over_promises(case: Case, merged: Case, occasion: Occasion) -> Decision:
    """Go on with what a merged case still owes; one whose time has passed is breached here, by its own clock (S2).

    The system says it: to followup an agent who makes a promise has spoken to the customer, and nobody has.
    """
    decision = nothing(case)
    for promise in merged.promises:
        if promise.state == "open" and case.promise(promise.promise_id) is None:
            made = _made(decision.case, promise, replace(occasion, by=SYSTEM))
            decision = Decision(made.case, decision.entries + made.entries)
    return decision


def without_open_promises(case: Case) -> Case:
    """Return a merged case without what goes on elsewhere: a breach that is on its way is no longer its own."""
    return evolve(case, promises=tuple(promise for promise in case.promises if promise.state != "open"))


def _made(case: Case, promise: Promise, occasion: Occasion) -> Decision:
    after = evolve(case, promises=(*case.promises, promise))
    return tell(
        after,
        PromiseMade(
            **stamp(after, occasion),
            promise_id=promise.promise_id,
            what=promise.what,
            due_at=promise.due_at,
        ),
    )


def move_promise(case: Case, command: MovePromise, occasion: Occasion) -> Decision | Refusal:
    """Give a new time before the old one passes (S3)."""
    promise = _open(case, command.promise_id)
    if isinstance(promise, Refusal):
        return promise
    if command.due_at <= occasion.now:
        return _past()
    after = _replaced(case, promise.model_copy(update={"due_at": command.due_at}))
    return tell(
        after,
        PromiseMoved(
            **stamp(after, occasion),
            promise_id=promise.promise_id,
            what=promise.what,
            due_at=command.due_at,
            previous_due_at=promise.due_at,
            reason=command.reason,
            compensation=command.compensation,
        ),
    )


def keep_promise(case: Case, command: KeepPromise, occasion: Occasion) -> Decision | Refusal:
    """Keep that it was kept (S2)."""
    promise = _open(case, command.promise_id)
    if isinstance(promise, Refusal):
        return promise
    after = _replaced(case, promise.model_copy(update={"state": "kept"}))
    return tell(after, PromiseKept(**stamp(after, occasion), promise_id=promise.promise_id))


def breach_promise(case: Case, promise_id: UUID, due_at: datetime, occasion: Occasion) -> Decision:
    """Keep that the promised time passed, and raise the case; what was moved or has an end is not breached (S2)."""
    promise = case.promise(promise_id)
    if promise is None or promise.state != "open" or promise.due_at > due_at:
        return nothing(case)
    routing = occasion.policy.routing
    raised = case.supervisor_needed or "promise" in routing.escalating_clocks
    after = evolve(_replaced(case, promise.model_copy(update={"state": "breached"})), supervisor_needed=raised)
    after = evolve(after, priority=priority(after, occasion.now, routing.priority))
    return tell(after, PromiseBreached(**stamp(after, occasion), promise_id=promise_id, due_at=promise.due_at))


def _open(case: Case, promise_id: UUID) -> Promise | Refusal:
    promise = case.promise(promise_id)
    if promise is None:
        return Refusal("unknown_promise", "This case has no promise with this id.")
    if promise.state != "open":
        return Refusal("promise_ended", f"This promise was {promise.state} before; make a new one.")
    return promise


def _past() -> Refusal:
    return Refusal("promise_in_the_past", "A promise names a time to come; due_at has passed.")


def _replaced(case: Case, promise: Promise) -> Case:
    kept = tuple(promise if each.promise_id == promise.promise_id else each for each in case.promises)
    return evolve(case, promises=kept)
