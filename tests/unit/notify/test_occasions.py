"""Does each event tell the customer the right thing, in the right words, once?"""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import derived_id
from contracts.notify import OutboundCallRequested
from contracts.policy import Policy
from contracts.router import (
    CaseAssigned,
    CaseClosed,
    CaseContactAttached,
    CaseEscalated,
    CaseInformationRequested,
    CaseOpened,
    CaseProgressed,
    CaseReopened,
    CaseResolved,
    ClockWarned,
    MilestoneReached,
    PromiseBreached,
    PromiseMoved,
    SolutionProposed,
)
from contracts.router.event import CaseEvent
from contracts.values import Actor, Money
from services.notify.domain import requests
from services.notify.domain.case import Case, left_chat
from services.notify.domain.delivery import Delivery, delivery_of
from services.notify.domain.occasions import occasion
from tests.unit.notify.story import EMAIL, NIGHT, NOW, PHONE, POLICY, SOCIAL, a, contact, customer, opened, told

CHAT = opened("chat", PHONE)


def said(first: CaseOpened, event: CaseEvent, policy: Policy = POLICY) -> Delivery:
    """Return what the customer of the case gets to hear because of this event."""
    case = told(first, event) if event is not first else told(first)
    intention = occasion(case, event, policy)
    assert intention is not None
    delivery = delivery_of(intention, case.state, NOW, policy)
    assert delivery is not None
    return delivery


@pytest.mark.parametrize(
    ("event", "purpose", "words"),
    [
        (a(CaseAssigned, state="assigned"), "greeting", "Li Wei, agent number 1017, is taking care of you now."),
        (a(CaseInformationRequested, state="waiting_customer", fields=("order_no", "shoe_size"), text=None),
         "information_request", "need from you: the order number, shoe size."),
        (a(SolutionProposed, state="assigned"), "solution", "1. title: steps (guarantee)"),
        (a(CaseResolved, state="solved", resolution="a new router was sent"), "solution",
         "has been solved: a new router was sent. Is everything all right now?"),
        (a(CaseClosed, state="closed"), "thanks", "Thank you for contacting caseloop."),
        (a(PromiseMoved, state="assigned", compensation=Money(amount="5.00", currency="CNY")), "delay_notice",
         "New time: 2026-11-02 17:30 (UTC+8). We make up for it with 5.00 CNY."),
        (a(ClockWarned, state="assigned", percent=90), "delay_notice", "may not manage by 2026-11-02 17:30 (UTC+8)"),
        (a(ClockWarned, state="queued", clock="first_response", promise_id=None), "waiting", "Thank you for waiting"),
        (a(CaseEscalated, state="queued"), "apology", "A supervisor has taken it over"),
        (a(PromiseBreached, state="assigned"), "apology", "did not keep the time"),
        (a(CaseReopened, state="queued"), "apology", "is not solved yet"),
        (a(MilestoneReached, state="assigned", milestone="order_shipped", details={"carrier": "SF", "no": "1"}),
         "milestone", "Your order has been shipped (SF, 1)."),
    ],
)  # fmt: skip
def test_what_a_chat_customer_is_told(event: CaseEvent, purpose: str, words: str) -> None:
    delivery = said(CHAT, event.model_copy(update={"version": 2}))
    assert delivery.purpose == purpose
    assert words in delivery.text
    assert delivery.channel == ("sms" if purpose == "milestone" else "chat")


def test_every_purpose_is_told_in_chinese_too() -> None:
    delivery = said(opened("phone", PHONE, language="zh"), a(CaseClosed, state="closed", version=2))
    assert delivery.text.startswith("感谢您对caseloop的支持")


@pytest.mark.parametrize(
    "event",
    [
        a(ClockWarned, percent=75),
        a(ClockWarned, clock="resolution", promise_id=None, state="queued"),
        a(ClockWarned, clock="first_response", promise_id=None, state="assigned"),
        a(CaseProgressed),
    ],
)
def test_what_nobody_is_told(event: CaseEvent) -> None:
    assert occasion(told(CHAT, event.model_copy(update={"version": 2})), event, POLICY) is None


def test_an_email_is_acknowledged_with_its_number_on_its_thread() -> None:
    first = opened("email", EMAIL, subject="Broken\r\nBcc: x@example.org see https://evil.example", in_reply_to="<1@x>")
    delivery = said(first, first)
    assert delivery.state == "sent"
    assert delivery.request is not None
    assert first.case_number in delivery.text
    assert delivery.request.subject_line == f"[{first.case_number}] Re: Broken Bcc: x@example.org see …"
    assert delivery.request.in_reply_to == "<1@x>"


def test_two_cases_of_one_email_share_its_acknowledgement() -> None:
    first = opened("email", EMAIL)
    second = first.model_copy(update={"case_id": derived_id("another"), "case_number": "C00000-00000-00"})
    one, two = (occasion(told(each), each, POLICY) for each in (first, second))
    assert one is not None
    assert two is not None
    assert (one.delivery_id, one.several) == (two.delivery_id, two.several)


def test_an_emergency_is_told_whom_to_call_at_any_hour() -> None:
    first = opened("phone", PHONE, severity="urgent").model_copy(update={"assistance_contact": "120"})
    case = told(first)
    intention = occasion(case, first, POLICY)
    assert intention is not None
    delivery = delivery_of(replace(intention, occurred_at=NIGHT), case.state, NIGHT, POLICY)
    assert delivery is not None
    assert (delivery.channel, delivery.due_at) == ("sms", NIGHT)
    assert "120" in delivery.text


def test_an_angry_customer_is_calmed_first() -> None:
    event = a(CaseInformationRequested, version=2, state="waiting_customer")
    calm, angry = said(CHAT, event), said(opened("chat", PHONE, emotion="angry"), event)
    assert angry.text == f"We are sorry for the trouble this causes you. {calm.text}"


def test_one_milestone_is_one_message_per_cycle_and_recipient() -> None:
    event = a(MilestoneReached, version=2, cycle=1)
    again = event.model_copy(update={"version": 9})
    reopened = event.model_copy(update={"version": 10, "cycle": 2})
    ids = [said(CHAT, each).delivery_id for each in (event, again, reopened)]
    assert ids[0] == ids[1] != ids[2]


def at_night(severity: str) -> Delivery:
    case = told(opened("phone", PHONE, severity=severity))
    intention = occasion(case, a(MilestoneReached, version=2, occurred_at=NIGHT), POLICY)
    assert intention is not None
    delivery = delivery_of(intention, "assigned", NIGHT, POLICY)
    assert delivery is not None
    return delivery


def test_a_milestone_waits_for_the_morning_unless_the_case_is_urgent() -> None:
    calm, urgent = at_night("normal"), at_night("urgent")
    assert (calm.state, calm.reason, calm.due_at) == ("queued", "quiet_hours", NIGHT + timedelta(hours=6))
    assert calm.expires_at > NIGHT + timedelta(hours=6)
    assert (urgent.state, urgent.reason, urgent.due_at) == ("queued", None, NIGHT)


def test_policy_may_keep_silent() -> None:
    rule = POLICY.messages.purposes["thanks"].model_copy(update={"via": "none"})
    messages = POLICY.messages.model_copy(update={"purposes": {**POLICY.messages.purposes, "thanks": rule}})
    quiet = POLICY.model_copy(update={"messages": messages})
    case = told(CHAT)
    intention = occasion(case, a(CaseClosed), quiet)
    assert intention is not None
    assert delivery_of(intention, "closed", NOW, quiet) is None


def reminded(case: Case, about: str) -> Delivery:
    intention = requests.reminder(case, a(ReminderDue, about=about, step=1), POLICY)
    delivery = delivery_of(intention, case.state, NOW, POLICY)
    assert delivery is not None
    return delivery


def test_a_reminder_of_what_has_come_meanwhile_is_dropped() -> None:
    asked = told(CHAT, a(CaseInformationRequested, version=2, state="waiting_customer", fields=("order_no",)))
    answered = replace(asked, state="assigned")
    assert "the order number" in reminded(asked, "information").text
    assert (reminded(answered, "information").state, reminded(answered, "information").reason) == (
        "dropped", "case_assigned",
    )  # fmt: skip
    assert reminded(replace(asked, state="closed"), "confirmation").state == "dropped"


def test_a_progress_notice_tells_the_last_step() -> None:
    case = told(CHAT, a(CaseProgressed, version=2, state="assigned", told_customer="The engineer found the fault."))
    assert reminded(case, "progress").text.endswith("is being worked on. The engineer found the fault.")


def test_what_comes_too_late_is_dropped() -> None:
    case = told(CHAT)
    intention = occasion(case, a(CaseAssigned, version=2), POLICY)
    assert intention is not None
    late = delivery_of(intention, "assigned", NOW + timedelta(days=30), POLICY)
    assert late is not None
    assert (late.state, late.reason) == ("dropped", "expired")


def test_a_survey_goes_the_way_it_was_asked_for_and_is_obsolete_once_reopened() -> None:
    case = replace(told(opened("phone", PHONE)), state="closed")
    intention = requests.survey(case, a(SurveyRequested, channel="sms", language="en"), POLICY)
    delivery = delivery_of(intention, "closed", NOW, POLICY)
    reopened = delivery_of(intention, "queued", NOW, POLICY)
    assert delivery is not None
    assert reopened is not None
    assert (delivery.channel, delivery.state, reopened.state) == ("sms", "queued", "dropped")


def test_chat_and_social_are_greeted_the_agent_on_the_phone_gets_the_words_and_email_none() -> None:
    for channel, template in (("chat", "greeting"), ("social", "greeting"), ("phone", "greeting_script")):
        started = a(ContactStarted, contact=contact(channel), customer=customer(PHONE, SOCIAL))
        intention = requests.greeting(started, POLICY)
        assert intention is not None
        delivery = delivery_of(intention, None, NOW, POLICY)
        assert delivery is not None
        assert (delivery.channel, delivery.template, delivery.state) == (channel, template, "sent")
    assert requests.greeting(a(ContactStarted, contact=contact("email")), POLICY) is None


def test_who_states_no_need_is_asked_to_choose_once_per_contact() -> None:
    words = a(ContactReceived, contact=contact("chat"), customer=customer(), author="customer", choice_needed=True)
    intention = requests.choice(words, POLICY)
    assert intention is not None
    assert [each.id for each in intention.choices] == ["question", "problem", "complaint", "other"]
    assert requests.choice(words.model_copy(update={"author": "agent"}), POLICY) is None
    assert requests.choice(words.model_copy(update={"choice_needed": False}), POLICY) is None


def test_a_due_callback_becomes_a_call_to_place() -> None:
    due = a(CallbackDue)
    call = requests.call(due, POLICY)
    assert isinstance(call, OutboundCallRequested)
    assert (call.callback_id, call.attempt, call.to.value) == (due.callback_id, due.attempt, due.phone)


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("not a phone", "number_malformed"),
        ("+19002345678", "number_costly"),
        ("+88213123456", "country_not_allowed"),
        ("+5355512345", "country_not_allowed"),
    ],
)
def test_a_call_nobody_would_pay_for_is_not_placed(phone: str, reason: str) -> None:
    assert requests.call(a(CallbackDue, phone=phone), POLICY) == reason


def test_the_case_follows_its_customer_from_channel_to_channel() -> None:
    moved = a(CaseContactAttached, version=2, author="customer", contact=contact("email"), customer=customer(EMAIL))
    agents = a(CaseContactAttached, version=2, author="agent", contact=contact("email"), customer=customer(EMAIL))
    assert told(CHAT, moved).recipient.channel == "email"
    assert told(CHAT, agents).recipient.channel == "chat"
    stranger = moved.model_copy(update={"by": Actor(kind="customer", id=str(derived_id("stranger")))})
    assert told(CHAT, stranger).recipient == told(CHAT).recipient
    left = left_chat(told(CHAT), "chat-1")
    assert left is not None
    assert not left.recipient.live
    assert told(CHAT).recipient.live
    assert left_chat(told(CHAT), "chat-2") is None
