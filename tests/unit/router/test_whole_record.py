"""Does nothing close without process, result and feedback on its journal? (L1, docs/decisions/0012)"""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from contracts import desk, followup
from contracts.intake import ConfirmationReply
from contracts.message import Message, derived_id
from contracts.router import CaseOffered, CommandRejected
from contracts.values import Actor, CaseState
from services.router.domain.case import Case
from services.router.domain.commands import TABLE, decide_command
from services.router.domain.contacts import Unknown, received
from services.router.domain.journal import Decision, View
from services.router.domain.offering import Pick, give, release
from services.router.domain.reports import REPORTS, decide_report
from tests.support.examples import example
from tests.unit.router.given import a_case, a_profile, an_occasion, case_id_of, command, later, opened, types_of, words
from tests.unit.router.records import lacking
from tests.unit.router.test_reports import report

CUSTOMER = Actor(kind="customer", id="c-1")
CALL: dict[str, Any] = {"callback_id": derived_id("call"), "purpose": "after_resolution"}
RESOLVE = command(desk.Resolve, resolution="the login service was repaired")
CLOSE = command(desk.Close, reason="done")
DECIDED = CaseOffered.model_validate(example(CaseOffered).model_dump()).decision
Step = Callable[[Case], Decision]


def asked(request: desk.Command, seconds: float = 10, by: Actor | None = None) -> Step:
    """Return the step that somebody asks for."""
    return lambda case: decide_command(
        case, request, an_occasion((request, seconds), later(seconds), by=by or request.by), View({case.case_id: case})
    )


def told(kind: type[Message], seconds: float = 20, **fields: object) -> Step:
    """Return the step that another service's report leads to."""
    said = report(kind, **(fields | {"occurred_at": later(seconds)}))
    return lambda case: decide_report(case, said, an_occasion((said, seconds), later(seconds)))


def given(case: Case) -> Decision:
    """Give the case to an agent."""
    return give(case, Pick(a_profile(auto_accept=True), DECIDED), an_occasion(("give", case.version), later(2)))


def left(case: Case) -> Decision:
    """Let the agent go offline."""
    return release(case, "agent_offline", an_occasion("left", later(3)))


def yes(case: Case) -> Decision:
    """Let the customer write that it is solved."""
    answer = ConfirmationReply(case_id=case.case_id, solved=True)
    contact = words("yes", joins=(case.case_id,), confirmation=answer, customer=case.customer)
    outcome = received(contact, an_occasion("yes", later(30), by=CUSTOMER), View({case.case_id: case}))
    assert not isinstance(outcome, Unknown)
    return outcome[0]


def journal(*steps: Step) -> Decision:
    """Return the whole story of a case that goes through these steps."""
    story = opened()
    for step in steps:
        story = story.then(step)
    return story


IN_VAIN = (told(followup.CallbackPlanned, **CALL, at=later(60)), told(followup.CallbackGivenUp, 70, **CALL))
PATHS: dict[str, tuple[Step, ...]] = {
    "an agent passes the yes on": (asked(command(desk.ConfirmResolution, solved=True)),),
    "the customer writes yes": (yes,),
    "the customer says yes on the phone": (told(followup.CallbackDone, **CALL, attempt=1, solved=True),),
    "the confirmation runs out": (told(followup.ClockBroken, clock="confirmation", promise_id=None),),
    "the customer asks for it": (asked(CLOSE, by=CUSTOMER),),
    "the customer was called in vain": (*IN_VAIN, asked(CLOSE, 80)),
}


@pytest.mark.parametrize("path", PATHS)
def test_every_way_to_close_leaves_process_result_and_feedback(path: str) -> None:
    story = journal(given, asked(RESOLVE), *PATHS[path])
    assert story.case.state == "closed"
    assert lacking(story.entries) == []
    assert {"opened", "assigned", "resolved", "closed"} <= set(types_of(story))


@pytest.mark.parametrize("path", PATHS)
def test_a_case_that_was_reopened_needs_all_of_it_anew(path: str) -> None:
    again = (asked(command(desk.Reopen, reason="it is back"), 100),)
    story = journal(given, asked(RESOLVE), *PATHS[path], *again)
    assert (story.case.state, story.case.resolution) == ("queued", None)
    assert refused(story, asked(CLOSE, 110)) == "illegal_state"
    anew = story.then(given).then(asked(RESOLVE, 120))
    assert refused(anew, asked(CLOSE, 130)) == "not_confirmed"
    assert lacking(anew.then(asked(command(desk.ConfirmResolution, solved=True), 140)).entries) == []


def test_a_case_whose_agent_left_tells_who_had_it_and_who_solved_it() -> None:
    waiting = asked(command(desk.RequestInformation, fields=("order_no",)), 2)
    story = journal(given, waiting, left, asked(RESOLVE), asked(command(desk.ConfirmResolution, solved=True), 20))
    assert story.case.state == "closed"
    assert lacking(story.entries) == []


def test_nobody_closes_by_hand_what_the_customer_did_not_speak_on() -> None:
    solved = journal(given, asked(RESOLVE))
    for kind in ("agent", "supervisor", "integrator", "system"):
        assert refused(solved, asked(CLOSE, by=Actor.model_validate({"kind": kind, "id": "x"}))) == "not_confirmed"
    assert refused(journal(given, asked(RESOLVE), IN_VAIN[0]), asked(CLOSE, 80)) == "not_confirmed"
    recovery = {**CALL, "purpose": "recovery"}
    other = journal(given, asked(RESOLVE), told(followup.CallbackGivenUp, 70, **recovery))
    assert refused(other, asked(CLOSE, 80)) == "not_confirmed"


@pytest.mark.parametrize("said", ["", " \n"])
def test_nothing_is_solved_without_words_on_how(said: str) -> None:
    assert refused(journal(given), asked(command(desk.Resolve, resolution=said))) == "no_resolution"


@pytest.mark.parametrize("state", [state for state in get_args(CaseState) if state not in {"solved", "closed"}])
def test_only_a_solved_case_closes(state: CaseState) -> None:
    case = a_case(state=state, agent_id="a-1", held_channel="chat")
    steps = [asked(_about(kind)) for kind in TABLE if issubclass(kind, desk.Command)]
    steps += [told(kind, solved=True) if "solved" in kind.model_fields else told(kind) for kind in REPORTS]
    steps += [told(followup.ClockBroken, clock="confirmation", promise_id=None), yes]
    for step in steps:
        assert step(case).case.state != "closed"


def _about(kind: type[desk.Command]) -> desk.Command:
    request = example(kind).model_copy(update={"case_id": case_id_of(), "expected_version": None, "solved": True})
    assert isinstance(request, desk.Command)
    return request


def refused(story: Decision, step: Step) -> str:
    """Return the code with which the step is refused, ``accepted`` if it is not."""
    event = step(story.case).entries[-1].event
    return event.code if isinstance(event, CommandRejected) else "accepted"


def test_calls_that_ended_at_the_very_moment_of_a_solution_were_not_about_it() -> None:
    """A report and the solution behind it may be handled in one batch, which has one moment."""
    story = journal(given, told(followup.CallbackGivenUp, 10, **CALL), asked(RESOLVE, 10))
    assert refused(story, asked(CLOSE, 80)) == "not_confirmed"
