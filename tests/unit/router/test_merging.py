"""What does a merged case leave to the case in which it goes on?"""

from contracts import desk
from contracts.message import derived_id
from contracts.router import CallbackScheduled, PromiseMade
from services.router.domain.case import Callback, Case, Promise
from services.router.domain.commands import decide_command
from services.router.domain.journal import Decision, View
from tests.unit.router.given import a_case, an_occasion, command, later, types_of

PROMISE = derived_id("promise")


def merged(case: Case, into: Case) -> Decision:
    """Return what becomes of both cases."""
    request = command(desk.Merge, into_case_id=into.case_id, reason="same")
    return decide_command(case, request, an_occasion(request, later(1)), View(cases={into.case_id: into}))


def test_a_merge_takes_along_what_the_customer_was_promised() -> None:
    open_ = Promise(promise_id=PROMISE, what="open", due_at=later(60))
    kept = Promise(promise_id=derived_id("kept"), what="kept", due_at=later(60), state="kept")
    call = Callback(callback_id=derived_id("call"), purpose="requested", at=later(90), phone="+8613900000000")
    care = Callback(callback_id=derived_id("care"), purpose="care", at=later(90))
    other = a_case("other")
    owing = a_case(promises=(kept, open_), callbacks=(care, call))
    decision = merged(owing, other)
    (joined,) = decision.others
    assert types_of(joined) == ["linked", "promise_made", "callback_scheduled"]
    made, planned = (entry.event for entry in joined.entries[1:])
    assert isinstance(made, PromiseMade)
    assert isinstance(planned, CallbackScheduled)
    assert (made.promise_id, made.what, made.due_at, made.by.kind) == (open_.promise_id, "open", later(60), "system")
    assert planned.callback_id == derived_id(other.case_id, "callback", "requested")
    assert (planned.at, planned.phone) == (later(90), "+8613900000000")
    assert joined.case.promises == (open_,)
    assert decision.case.promises == (kept,)


def test_a_merge_leaves_alone_what_the_survivor_owes_already() -> None:
    promise = Promise(promise_id=PROMISE, what="call", due_at=later(60))
    call = Callback(callback_id=derived_id("call"), purpose="requested", at=later(90))
    other = a_case("other", promises=(promise,), callbacks=(call,))
    decision = merged(a_case(promises=(promise,), callbacks=(call,)), other)
    assert types_of(decision.others) == ["linked"]
