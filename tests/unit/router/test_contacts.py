"""What do a customer's words do to cases (R7, R8, L1, F3)?"""

import pytest

from contracts.intake import ConfirmationReply, ContactCallbackRequested, ContactReceived
from contracts.message import derived_id
from contracts.router import CallbackScheduled, CaseContactAttached, CaseOpened
from contracts.values import Cause, Customer, History, Party
from services.router.domain.case import Case
from services.router.domain.contacts import Unknown, callback_requested, received
from services.router.domain.journal import Decision, View
from tests.unit.router.given import (
    NOW,
    a_case,
    a_classification,
    a_contact,
    a_customer,
    an_occasion,
    case_id_of,
    later,
    proposed,
    the_policy,
    types_of,
    words,
)


def heard(contact: ContactReceived, *cases: Case, seconds: float = 1, **view: object) -> tuple[Decision, ...]:
    """Return what these words lead to."""
    known = View(cases={case.case_id: case for case in cases}, **view)  # type: ignore[arg-type]  # values of the literal
    outcome = received(contact, an_occasion("words", later(seconds)), known)
    assert not isinstance(outcome, Unknown)
    return outcome


def first(decision: Decision) -> CaseOpened:
    """Return the opening."""
    event = decision.entries[0].event
    assert isinstance(event, CaseOpened)
    return event


def test_several_demands_become_linked_cases() -> None:
    decisions = heard(words(demands=(proposed(), proposed("second"))))
    assert types_of(decisions) == ["opened", "opened"]
    assert [link.case_id for link in first(decisions[0]).links] == [case_id_of("second")]
    assert [link.case_id for link in first(decisions[1]).links] == [case_id_of("first")]


def test_a_department_that_the_pack_does_not_know_falls_back_with_the_reason() -> None:
    (decision,) = heard(words(demands=(proposed(department="kitchen"),)))
    assert decision.case.department == "front_desk"
    assert first(decision).demand.classification.evidence[-1].rule == "unknown department kitchen"


def test_safety_needs_a_supervisor_and_names_whom_to_call() -> None:
    (decision,) = heard(words(demands=(proposed(classification=a_classification(safety=True)),)))
    assert first(decision).supervisor_needed
    assert first(decision).assistance_contact
    assert decision.case.priority.band == "critical"


def test_the_connected_agent_is_asked_first_else_the_one_who_knows_the_customer() -> None:
    earlier = derived_id("earlier")
    history = History(earlier_cases=1, repeat_of_unsolved=earlier)
    (decision,) = heard(words(demands=(proposed(),), history=history), handlers={earlier: "a-7"})
    assert (decision.case.preferred_agent_id, decision.case.repeat) == ("a-7", True)
    (decision,) = heard(words(demands=(proposed(),), history=history, agent_id="a-8"), handlers={earlier: "a-7"})
    assert decision.case.preferred_agent_id == "a-8"


@pytest.mark.parametrize(
    ("state", "names", "after"),
    [
        ("queued", ["contact_attached"], "queued"),
        ("assigned", ["contact_attached"], "assigned"),
        ("waiting_department", ["contact_attached"], "waiting_department"),
        ("waiting_customer", ["information_received"], "assigned"),
        ("solved", ["contact_attached", "reopened"], "queued"),
        ("closed", ["contact_attached", "reopened"], "queued"),
        ("spam", ["contact_attached"], "spam"),
    ],
)
def test_an_addition_means_what_the_state_makes_of_it(state: str, names: list[str], after: str) -> None:
    case = a_case(state=state, agent_id="a-1", held_channel="chat", ended_at=NOW)
    (decision,) = heard(words("more", joins=(case.case_id,)), case)
    assert (types_of(decision), decision.case.state) == (names, after)


def test_information_for_a_case_without_an_agent_puts_it_into_the_queue() -> None:
    case = a_case(state="waiting_customer")
    (decision,) = heard(words("more", joins=(case.case_id,)), case)
    assert (types_of(decision), decision.case.state) == (["information_received"], "queued")


STRANGER = Customer(
    customer_id=derived_id("stranger"),
    parties=(Party(kind="phone", value="+8613700000009"),),
    language="en",
)


@pytest.mark.parametrize(("state", "after"), [("assigned", "assigned"), ("waiting_customer", "assigned")])
def test_who_knows_only_the_number_of_a_case_is_heard_and_told_nothing(state: str, after: str) -> None:
    case = a_case(state=state, agent_id="a-1", held_channel="chat")
    contact = words("more", joins=(case.case_id,)).model_copy(update={"customer": STRANGER})
    (decision,) = heard(contact, case)
    event = decision.entries[0].event
    assert isinstance(event, CaseContactAttached)
    assert (event.customer, event.contact, event.state) == (case.customer, contact.contact, after)
    assert (decision.case.customer, decision.case.contact) == (case.customer, case.contact)


def test_an_unknown_visitor_is_known_by_the_conversation_on_its_channel() -> None:
    nobody = STRANGER.model_copy(update={"customer_id": derived_id("visitor"), "parties": ()})
    case = a_case(state="assigned", agent_id="a-1", held_channel="chat", customer=nobody)
    returned = nobody.model_copy(update={"customer_id": derived_id("the visitor again")})
    for channel, customer in (("chat", returned), ("social", nobody)):
        there = case.contact.model_copy(update={"channel": channel})
        contact = words("more", joins=(case.case_id,), contact=there, customer=returned)
        assert heard(contact, case)[0].case.customer == customer


def test_a_customer_known_by_more_than_before_is_the_same_customer() -> None:
    known = STRANGER.model_copy(update={"customer_id": derived_id("older")})
    case = a_case(state="assigned", agent_id="a-1", held_channel="chat", customer=known)
    contact = words("more", joins=(case.case_id,)).model_copy(update={"customer": STRANGER})
    assert heard(contact, case)[0].case.customer == STRANGER


def test_an_agents_words_are_kept_and_change_nothing() -> None:
    case = a_case(state="solved", agent_id="a-1")
    (decision,) = heard(words("more", joins=(case.case_id,), author="agent", agent_id="a-1"), case)
    assert (types_of(decision), decision.case.state) == (["contact_attached"], "solved")


@pytest.mark.parametrize(
    ("solved", "names"),
    [
        (True, ["contact_attached", "closed"]),
        (False, ["contact_attached", "resolution_rejected", "reopened"]),
    ],
)
def test_a_plain_yes_or_no_on_a_solved_case_counts(solved: bool, names: list[str]) -> None:
    case = a_case(state="solved", agent_id="a-1")
    confirmation = ConfirmationReply(case_id=case.case_id, solved=solved)
    (decision,) = heard(words("reply", confirmation=confirmation, joins=(case.case_id,)), case)
    assert types_of(decision) == names


@pytest.mark.parametrize(
    ("solved", "names", "after"),
    [(True, ["contact_attached"], "solved"), (False, ["contact_attached", "reopened"], "queued")],
)
def test_only_the_customer_ends_a_case_but_anybodys_no_is_looked_at(solved: bool, names: list[str], after: str) -> None:
    case = a_case(state="solved", agent_id="a-1")
    confirmation = ConfirmationReply(case_id=case.case_id, solved=solved)
    contact = words("reply", confirmation=confirmation, joins=(case.case_id,)).model_copy(update={"customer": STRANGER})
    (decision,) = heard(contact, case)
    assert (types_of(decision), decision.case.state) == (names, after)


def test_after_the_window_a_new_case_continues_the_old_one() -> None:
    case = a_case(state="closed", agent_id="a-1", ended_at=NOW)
    (decision,) = heard(words("late", joins=(case.case_id,)), case, seconds=604_801)
    opened = first(decision)
    assert opened.case_id != case.case_id
    assert [(link.case_id, link.relation) for link in opened.links] == [(case.case_id, "follow_up")]
    assert opened.preferred_agent_id == "a-1"


def test_words_for_a_merged_case_reach_the_one_that_goes_on() -> None:
    survivor = a_case("other", state="assigned", agent_id="a-1")
    merged = a_case(state="merged", merged_into=survivor.case_id)
    (decision,) = heard(words("more", joins=(merged.case_id, survivor.case_id)), merged, survivor)
    assert decision.case.case_id == survivor.case_id


def test_a_demand_whose_case_exists_is_added_to_it() -> None:
    case = a_case(state="assigned", agent_id="a-1")
    (decision,) = heard(words("again", demands=(proposed(),)), case)
    assert types_of(decision) == ["contact_attached"]


def test_words_for_a_case_that_is_not_here_yet_wait() -> None:
    outcome = received(words("early", joins=(case_id_of(),)), an_occasion(), View())
    assert outcome == Unknown(case_id_of())


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("+8613900000000", "+8613900000000"),
        ("139 0000 0000", "+8613900000000"),
        ("not a phone", "+8613800005678"),
        ("+1900123456", "+8613800005678"),
    ],
)
def test_a_wish_to_be_called_opens_a_case_and_promises_the_call(written: str, called: str) -> None:
    contact = ContactCallbackRequested(
        contact=a_contact(),
        customer=a_customer(),
        occurred_at=NOW,
        policy=the_policy().ref,
        cause=Cause(id="c", type="caseloop.channel.callback_requested.v1"),
        phone=written,
        case_id=case_id_of(),
        demand=proposed(),
    )
    outcome = callback_requested(contact, an_occasion(now=later(1)), View())
    assert not isinstance(outcome, Unknown)
    assert types_of(outcome) == ["opened", "callback_scheduled"]
    call = outcome[0].entries[1].event
    assert isinstance(call, CallbackScheduled)
    assert (call.phone, call.at) == (called, later(901))
