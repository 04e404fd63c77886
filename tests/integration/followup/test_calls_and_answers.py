"""Do calls, surveys and greetings find their case when what is reported names only them?"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts.channel import CallReported
from contracts.followup import CallbackDone, CallbackDue, CallbackPlanned, SurveyReply, SurveyRequested
from contracts.intake import ContactReceived, ContactStarted, SurveyAnswer
from contracts.message import derived_id
from contracts.router import (
    CallbackScheduled,
    CaseClosed,
    CaseOpened,
    CaseResolved,
)
from services.followup.domain.state import callback_id_of, survey_id_of
from tests.integration.followup.stand import Stand, a_journal, contact
from tests.support.examples import example
from tests.unit.followup.story import MONDAY, names

CUSTOMER = example(CaseOpened).customer.customer_id  # type: ignore[attr-defined]  # an example has the type that was asked for


async def test_a_callback_goes_from_request_to_report(stand: Stand) -> None:
    journal = a_journal()
    callback_id = callback_id_of(journal.case_id, "requested")
    asked = journal.open(), journal.tell(CallbackScheduled, purpose="requested", at=MONDAY, not_after=None)
    await stand.hear(*asked)

    (due,) = [message for message in await stand.pass_by(0) if isinstance(message, CallbackDue)]
    assert due.callback_id == callback_id
    said = await stand.hear(_report(callback_id, 1, "busy"))
    assert names(said) == ["callback.attempted"]
    said = await stand.pass_by(15 * 60)
    assert [message.attempt for message in said if isinstance(message, CallbackDue)] == [2]
    (done,) = await stand.hear(_report(callback_id, 2, "answered", solved=True))

    assert isinstance(done, CallbackDone)
    assert await stand.count("handles") == 0
    assert await stand.hear(_report(callback_id, 2, "answered", solved=False)) == []
    assert await stand.hear(_report(derived_id("nobody's"), 1, "answered")) == []


def _report(callback_id: UUID, attempt: int, outcome: str, **fields: Any) -> CallReported:  # noqa: ANN401 - any part
    return CallReported.model_validate(
        {"callback_id": callback_id, "attempt": attempt, "outcome": outcome, "at": MONDAY} | fields
    )


async def test_a_call_of_the_customer_cancels_what_was_asked_for_before(stand: Stand) -> None:
    journal = a_journal()
    later = MONDAY + timedelta(hours=2)
    await stand.hear(journal.open(), journal.tell(CallbackScheduled, purpose="requested", at=later))
    phone = contact(ContactStarted).contact.model_copy(update={"channel": "phone"})
    customer = contact(ContactStarted).customer.model_copy(update={"customer_id": CUSTOMER})

    before = contact(ContactStarted, contact=phone, customer=customer, occurred_at=MONDAY - timedelta(seconds=5))
    since = contact(ContactStarted, contact=phone, customer=customer, occurred_at=MONDAY + timedelta(seconds=5))

    assert await stand.hear(before) == []
    assert names(await stand.hear(since)) == ["callback.cancelled"]


async def test_a_survey_goes_from_question_to_verdict(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open())
    (asked,) = [
        message
        for message in await stand.hear(journal.tell(CaseClosed, state="closed", outcome="by_hand", cycle=1))
        if isinstance(message, SurveyRequested)
    ]
    assert asked.survey_id == survey_id_of(journal.case_id, 1)
    answer = contact(ContactReceived, survey_answer=SurveyAnswer(survey_id=asked.survey_id, overall=4))

    (reply,) = await stand.hear(answer)

    assert isinstance(reply, SurveyReply)
    assert reply.case_id == journal.case_id
    assert await stand.hear(answer) == []
    await stand.until_quiet(MONDAY + timedelta(days=30))
    assert await stand.count("timers") == 0


async def test_a_phone_call_is_measured_from_its_connection_although_the_case_comes_later(stand: Stand) -> None:
    journal = a_journal()
    opened = journal.open(channel="phone")
    connected = contact(ContactStarted, contact=opened.contact, occurred_at=MONDAY - timedelta(seconds=30))
    words = contact(ContactReceived, contact=opened.contact, author="agent", occurred_at=MONDAY - timedelta(seconds=21))
    await stand.hear(connected)
    await stand.hear(words)

    said = names(await stand.hear(opened))

    assert said[:2] == ["clock.started greeting", "clock.met greeting"]
    assert await stand.count("greetings") == 0


async def test_the_plan_after_resolution_is_told_with_whom_to_call(stand: Stand) -> None:
    journal = a_journal()
    said = await stand.hear(journal.open(), journal.tell(CaseResolved, state="solved", solution_option_id="o-1"))

    (planned,) = [message for message in said if isinstance(message, CallbackPlanned)]
    assert (planned.purpose, planned.phone) == ("after_resolution", "+8613800005678")
    assert planned.at <= MONDAY + timedelta(hours=1)
    assert await stand.count("handles") == 1
