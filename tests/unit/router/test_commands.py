"""Which command is allowed when, and what is answered otherwise?"""

from typing import Any, get_args

import pytest

from contracts import desk
from contracts.message import derived_id
from contracts.registry import MESSAGES
from contracts.router import CaseOfferEnded, CommandRejected
from contracts.values import CaseState
from services.router.domain.case import Case, Offer
from services.router.domain.commands import TABLE, decide_command
from services.router.domain.journal import Decision, View
from tests.support.examples import example
from tests.unit.router.given import a_case, a_profile, an_occasion, case_id_of, command, later, opened, types_of

PROMISE = derived_id("promise")
OPTION = {
    "option_id": "repair",
    "title": "Repair",
    "steps": ("collect", "mend"),
    "duration_seconds": 3600,
}


def decided(case: Case, request: desk.Command, view: View | None = None, now: float = 1) -> Decision:
    """Return what the command leads to a second later."""
    return decide_command(case, request, an_occasion(request, later(now)), view or View())


def code(decision: Decision) -> str:
    """Return the code of the refusal, or ``accepted``."""
    event = decision.entries[-1].event
    return event.code if isinstance(event, CommandRejected) else "accepted"


def held(**changes: object) -> Case:
    """Return a case that an agent works on."""
    return a_case("first", **({"state": "assigned", "agent_id": "a-1", "held_channel": "chat"} | changes))


def test_every_command_has_a_row() -> None:
    commands = {message for message in MESSAGES.values() if issubclass(message, desk.Command)}
    assert set(TABLE) == commands


@pytest.mark.parametrize("state", get_args(CaseState))
@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_outside_its_states_a_command_changes_nothing(kind: type[desk.Command], state: CaseState) -> None:
    request = example(kind).model_copy(update={"case_id": case_id_of(), "expected_version": None})
    assert isinstance(request, desk.Command)
    case = held(state=state)
    decision = decided(case, request)
    if state not in TABLE[kind].states:
        assert code(decision) == "illegal_state"
    if code(decision) != "accepted":
        told = {"version", "hash", "updated_at"}
        assert decision.case.model_dump(exclude=told) == case.model_dump(exclude=told)
    assert decision.case.version == case.version + len(decision.entries)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (command(desk.ReachMilestone, milestone="moon_landing"), "unknown_milestone"),
        (command(desk.ReachMilestone, milestone="refund_issued"), "milestone_already_reached"),
        (command(desk.MakePromise, promise_id=PROMISE, what="call", due_at=later(0)), "promise_in_the_past"),
        (command(desk.MovePromise, promise_id=PROMISE, due_at=later(60), reason="late"), "unknown_promise"),
        (command(desk.KeepPromise, promise_id=PROMISE), "unknown_promise"),
        (command(desk.ChooseSolution, option_id="nothing"), "unknown_option"),
        (command(desk.Resolve, resolution="done", solution_option_id="nothing"), "unknown_option"),
        (command(desk.ProposeSolution, options=(OPTION, OPTION)), "duplicate_option"),
        (
            command(desk.Transfer, to={"department": "operations"}, customer_agreed=False, reason="x"),
            "customer_not_agreed",
        ),
        (command(desk.Transfer, to={"department": "kitchen"}, customer_agreed=True, reason="x"), "unknown_department"),
        (command(desk.Transfer, to={"agent_id": "a-9"}, customer_agreed=True, reason="x"), "unknown_agent"),
        (command(desk.OpenWorkOrder, department="kitchen", responsible="w", nodes=("a",)), "unknown_department"),
        (command(desk.UpdateWorkOrder, work_order_no="W1", node="a", state="done"), "unknown_work_order"),
        (command(desk.Merge, into_case_id=case_id_of(), reason="x"), "merge_into_itself"),
        (command(desk.Merge, into_case_id=case_id_of("other"), reason="x"), "unknown_target_case"),
        (command(desk.Link, to_case_id=case_id_of(), relation="related"), "link_to_itself"),
        (command(desk.CorrectClassification, category="weather", reason="x"), "unknown_category"),
        (command(desk.CancelCallback, callback_id=PROMISE, reason="x"), "unknown_callback"),
        (command(desk.ScheduleCallback, purpose="requested", at=later(0)), "callback_in_the_past"),
        (command(desk.ScheduleCallback, purpose="requested", phone="not a phone"), "phone_not_allowed"),
        (command(desk.ScheduleCallback, purpose="requested", phone="+1900123456"), "phone_not_allowed"),
        (command(desk.RecordFacts, facts={"what": "white page"}), "nothing_changed"),
        (command(desk.AcceptOffer, offer_id=PROMISE, agent_id="a-1"), "offer_ended"),
        (command(desk.Resolve, resolution="done", expected_version=7), "version_conflict"),
        (command(desk.EraseCustomer, customer_id=PROMISE, legal_basis="GDPR 17"), "not_supported_yet"),
        (command(desk.SetPreference, customer_id=PROMISE, channel="sms", opt_in=False), "not_supported_yet"),
    ],
)
def test_a_refusal_has_a_stable_code_and_takes_a_version(request_: desk.Command, expected: str) -> None:
    case = held(milestones=("refund_issued",), facts={"what": "white page"})
    decision = decided(case, request_)
    event = decision.entries[0].event
    assert isinstance(event, CommandRejected)
    assert (event.code, event.version, event.state) == (expected, case.version + 1, "assigned")
    assert event.message


@pytest.mark.parametrize(
    ("request_", "names", "state"),
    [
        (command(desk.RecordFacts, facts={"order_no": "A1"}), ["facts_recorded"], "assigned"),
        (command(desk.RestateProblem, text="a white page"), ["problem_restated"], "assigned"),
        (command(desk.ConfirmUnderstanding, confirmed=True), ["understanding_confirmed"], "assigned"),
        (command(desk.RequestInformation, fields=("order_no",)), ["information_requested"], "waiting_customer"),
        (command(desk.ProposeSolution, options=(OPTION,)), ["solution_proposed"], "assigned"),
        (command(desk.MakePromise, promise_id=PROMISE, what="call", due_at=later(60)), ["promise_made"], "assigned"),
        (command(desk.RecordProgress, step="1", action="looked"), ["progressed"], "assigned"),
        (command(desk.ReachMilestone, milestone="refund_issued"), ["milestone_reached"], "assigned"),
        (
            command(desk.Transfer, to={"department": "operations"}, customer_agreed=True, reason="x"),
            ["transferred"],
            "queued",
        ),
        (command(desk.Transfer, to={"agent_id": "a-2"}, customer_agreed=True, reason="x"), ["transferred"], "queued"),
        (command(desk.Escalate, reason="beyond me"), ["escalated"], "queued"),
        (command(desk.RequestRelief, reason="shouting"), ["relieved"], "queued"),
        (
            command(desk.OpenWorkOrder, department="operations", responsible="w", nodes=("look",)),
            ["work_order_opened"],
            "waiting_department",
        ),
        (command(desk.Resolve, resolution="done"), ["resolved"], "solved"),
        (command(desk.MarkSpam, reason="advertising"), ["marked_spam"], "spam"),
        (command(desk.ScheduleCallback, purpose="requested", at=later(60)), ["callback_scheduled"], "assigned"),
        (command(desk.Merge, into_case_id=case_id_of("other"), reason="same"), ["merged"], "merged"),
        (command(desk.Link, to_case_id=case_id_of("other"), relation="related"), ["linked"], "assigned"),
        (command(desk.CorrectClassification, emotion="angry", reason="heard it"), ["reclassified"], "assigned"),
    ],
)
def test_what_an_agent_does_leads_to_the_event_named_after_it(
    request_: desk.Command,
    names: list[str],
    state: CaseState,
) -> None:
    other = a_case("other")
    view = View(cases={other.case_id: other}, agents={"a-2": a_profile("a-2")})
    decision = decided(held(), request_, view)
    assert (types_of(decision), decision.case.state) == (names, state)


def asked() -> Case:
    """Return a case that is offered to an agent until a minute from now."""
    offer = Offer(
        offer_id=PROMISE,
        agent_id="a-1",
        agent_name="Li Wei",
        agent_number="101",
        expires_at=later(60),
    )
    return a_case(state="offered", offer=offer, held_channel="chat", offers=1)


@pytest.mark.parametrize(
    "request_",
    [
        command(desk.Transfer, to={"department": "operations"}, customer_agreed=True, reason="x"),
        command(desk.Escalate, reason="x"),
        command(desk.MarkSpam, reason="x"),
        command(desk.Merge, into_case_id=case_id_of("other"), reason="x"),
        command(desk.CorrectClassification, category="order", reason="x"),
    ],
)
def test_whatever_takes_an_offered_case_away_withdraws_the_offer_first(request_: desk.Command) -> None:
    other = a_case("other")
    decision = decided(asked(), request_, View(cases={other.case_id: other}))
    ended = decision.entries[0].event
    assert isinstance(ended, CaseOfferEnded)
    assert (ended.outcome, ended.agent_id, decision.case.offer) == ("withdrawn", "a-1", None)


@pytest.mark.parametrize(
    ("agent_id", "seconds", "expected"),
    [
        ("a-1", 59, "accepted"),
        ("a-1", 60, "offer_ended"),
        ("a-2", 59, "not_your_offer"),
    ],
)
def test_an_offer_is_accepted_by_whom_it_was_made_to_and_in_time(agent_id: str, seconds: int, expected: str) -> None:
    request = command(desk.AcceptOffer, offer_id=PROMISE, agent_id=agent_id)
    assert code(decided(asked(), request, now=seconds)) == expected


def story(case: Case, *requests: desk.Command, seconds: float = 1) -> tuple[list[str], Case]:
    """Return what these commands tell, one after the other, and the case at the end."""
    told: list[str] = []
    for number, request in enumerate(requests):
        decision = decided(case, request, now=seconds + number)
        told += types_of(decision)
        case = decision.case
    return told, case


def test_the_customers_no_reopens_with_the_supervisor_and_a_new_cycle() -> None:
    told, case = story(
        held(milestones=("refund_issued",)),
        command(desk.Resolve, resolution="done"),
        command(desk.ConfirmResolution, solved=False, text="still white"),
    )
    assert told == ["resolved", "resolution_rejected", "reopened"]
    assert (case.state, case.cycle, case.supervisor_needed, case.milestones) == ("queued", 2, True, ())
    assert case.agent_id is None


def test_the_customers_yes_closes_and_the_window_ends_reopening() -> None:
    told, case = story(held(), command(desk.Resolve, resolution="done"), command(desk.ConfirmResolution, solved=True))
    assert (told, case.state) == (["resolved", "closed"], "closed")
    again = command(desk.Reopen, reason="it is back")
    assert code(decided(case, again, now=604_000)) == "accepted"
    assert code(decided(case, again, now=604_900)) == "reopen_window_over"


def test_a_promise_is_made_once_moved_and_kept_once() -> None:
    make = command(desk.MakePromise, promise_id=PROMISE, what="call", due_at=later(600))
    move = command(desk.MovePromise, promise_id=PROMISE, due_at=later(900), reason="the part is late")
    keep = command(desk.KeepPromise, promise_id=PROMISE)
    told, case = story(held(), make, make, move, keep, keep, move)
    assert told == [
        "promise_made",
        "command_rejected",
        "promise_moved",
        "promise_kept",
        "command_rejected",
        "command_rejected",
    ]
    assert [(promise.due_at, promise.state) for promise in case.promises] == [(later(900), "kept")]


def test_a_work_order_ends_when_all_its_nodes_are_done() -> None:
    case = decided(held(), command(desk.OpenWorkOrder, department="operations", responsible="w", nodes=("a", "b"))).case
    number = case.work_orders[0].work_order_no
    first, second = (
        command(desk.UpdateWorkOrder, work_order_no=number, node=node, state="done") for node in ("a", "b")
    )
    waiting = decided(case, first).case
    assert waiting.state == "waiting_department"
    assert decided(waiting, second).case.state == "assigned"


def test_who_asked_for_relief_is_not_asked_again() -> None:
    case = decided(held(), command(desk.RequestRelief, reason="shouting")).case
    assert (case.declined, case.agent_id) == (("a-1",), None)


def test_a_correction_moves_a_waiting_case_to_its_department_and_recomputes_the_priority() -> None:
    request = command(desk.CorrectClassification, scenario="complaint", severity="urgent", reason="read again")
    decision = decided(opened().case, request)
    assert types_of(decision) == ["reclassified"]
    assert (decision.case.department, decision.case.classification.quadrant) == ("complaint_desk", "urgent")
    assert decision.case.priority.value == 360
    assert {evidence.rule for evidence in decision.case.classification.evidence} == {"agent:a-1"}


def test_a_survivor_keeps_the_facts_it_lacked() -> None:
    other: Any = a_case("other", facts={"order_no": "A1"})
    decision = decided(
        held(facts={"order_no": "B2", "what": "white"}),
        command(desk.Merge, into_case_id=other.case_id, reason="same"),
        View(cases={other.case_id: other}),
    )
    (survivor,) = decision.others
    assert types_of(survivor) == ["linked"]
    assert survivor.case.facts == {"order_no": "A1", "what": "white"}
