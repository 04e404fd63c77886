"""Does what notify hears leave the right messages in its tables, once, also when it hears it twice or late?"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactEnded, ContactReceived, ContactStarted
from contracts.message import Message, derived_id
from contracts.notify import NotificationDeferred, NotificationDropped, OutboundCallRequested, OutboundMessageRequested
from contracts.router import (
    CaseAssigned,
    CaseClosed,
    CaseInformationRequested,
    CaseReopened,
    CaseResolved,
    MilestoneReached,
    SolutionProposed,
)
from services.notify.handlers.dispatch import Dispatcher
from services.notify.settings import NotifySettings
from services.runtime.work import Work
from tests.integration.notify.stand import MovedClock, Stand, received, standing
from tests.unit.notify.story import EMAIL, NIGHT, NOW, PHONE, POLICY, a, contact, customer, opened

CHAT = opened("chat", PHONE)
RESOLVED = a(CaseResolved, version=3, state="solved", cycle=1)
CLOSED = a(CaseClosed, version=4, state="closed", cycle=1)


@pytest.fixture
async def notify(postgres_database: str) -> AsyncIterator[Stand]:
    async with standing(postgres_database, clock=MovedClock(NOW)) as stand:
        yield stand


def purposes(said: list[Message]) -> list[str]:
    return [each.purpose for each in said if isinstance(each, OutboundMessageRequested)]


async def test_the_loop_as_a_chat_customer_reads_it(notify: Stand) -> None:
    await notify.hear(CHAT)
    await notify.hear(a(CaseAssigned, version=2, state="assigned"))
    await notify.hear(RESOLVED)
    await notify.hear(CLOSED)
    assert purposes(await notify.said()) == ["greeting", "solution", "thanks"]
    assert await notify.names() == ["sent", "sent"]


async def test_a_batch_heard_twice_says_nothing_new(notify: Stand) -> None:
    batch: list[Message] = [CHAT, a(CaseAssigned, version=2, state="assigned"), RESOLVED]
    await notify.hear(*batch)
    before = await notify.said()
    await notify.hear(*batch, cause="again")
    await notify.hear(*batch[1:], cause="and again")
    assert await notify.said() == before
    assert notify.idle == [each.type for each in (*batch, *batch[1:])]


async def test_an_event_of_a_case_that_nobody_saw_begin_changes_nothing(notify: Stand) -> None:
    await notify.hear(RESOLVED)
    assert notify.idle == [CaseResolved.type]


async def test_what_a_batch_itself_has_made_pointless_is_not_said(notify: Stand) -> None:
    """After an outage a customer is not asked whether a case is solved that they have long confirmed."""
    await notify.hear(CHAT, a(CaseAssigned, version=2, state="assigned"), RESOLVED, CLOSED)
    assert purposes(await notify.said()) == ["thanks"]
    assert await notify.names() == ["dropped", "sent"]


async def test_one_acknowledgement_for_all_cases_of_an_email(notify: Stand) -> None:
    first = opened("email", EMAIL, subject="Two things")
    second = first.model_copy(update={"case_id": derived_id("second"), "case_number": "C00000-00000-00"})
    await notify.hear(first)
    await notify.hear(second)
    await notify.hear(first, second, cause="again")
    assert purposes(await notify.said()) == ["acknowledgement"]
    assert await notify.names() == ["sent", "sent"]


async def test_words_at_night_wait_and_are_withdrawn_when_the_case_is_closed(postgres_database: str) -> None:
    clock = MovedClock(NIGHT)
    asked: dict[str, Any] = {"occurred_at": NIGHT}
    async with standing(postgres_database, policy=POLICY, clock=clock) as stand:
        await stand.hear(opened("phone", PHONE), RESOLVED.model_copy(update=asked))
        [deferred] = await stand.said()
        assert isinstance(deferred, NotificationDeferred)
        assert (deferred.until, deferred.reason) == (NIGHT + timedelta(hours=6), "quiet_hours")
        await stand.hear(CLOSED.model_copy(update=asked))
        assert await stand.states() == ["dropped", "queued"]
        dropped = (await stand.said())[-1]
        assert isinstance(dropped, NotificationDropped)
        assert (dropped.purpose, dropped.reason) == ("solution", "case_closed")


async def test_an_email_deferred_by_policy_goes_to_its_gateway_in_the_morning(postgres_database: str) -> None:
    clock = MovedClock(NIGHT)
    messages = POLICY.messages.model_copy(update={"quiet_channels": ("sms", "email")})
    quiet = POLICY.model_copy(update={"messages": messages})
    async with standing(postgres_database, policy=quiet, clock=clock) as stand, stand.dispatching():
        mailed = opened("email", EMAIL, subject="It broke", in_reply_to="<1@example.org>")
        await stand.hear(mailed, CLOSED.model_copy(update={"occurred_at": NIGHT}))
        assert purposes(await stand.said()) == ["acknowledgement"]
        clock.at = NIGHT + timedelta(hours=6, seconds=1)
        await stand.until_states("sent", "sent")
        thanks = [each for each in await stand.said() if isinstance(each, OutboundMessageRequested)][-1]
        assert (thanks.purpose, thanks.in_reply_to) == ("thanks", "<1@example.org>")
        assert thanks.subject_line == f"[{mailed.case_number}] Re: It broke"


async def test_a_pause_that_the_sms_provider_asked_for_holds_up_no_email(postgres_database: str) -> None:
    clock = MovedClock(NIGHT)
    messages = POLICY.messages.model_copy(update={"quiet_channels": ("sms", "email")})
    quiet = POLICY.model_copy(update={"messages": messages})
    async with standing(postgres_database, policy=quiet, clock=clock) as stand, asyncio.TaskGroup() as group:
        asked = {"occurred_at": NIGHT}
        await stand.hear(opened("email", EMAIL), CLOSED.model_copy(update=asked))
        other = {**asked, "case_id": derived_id("by phone")}
        await stand.hear(opened("phone", PHONE).model_copy(update=other), CLOSED.model_copy(update=other))
        assert await stand.states() == ["queued", "queued", "sent"]
        clock.at = NIGHT + timedelta(hours=6, seconds=1)
        settings = stand.context.settings_as(NotifySettings)
        pause = clock.at + timedelta(hours=1)
        group.create_task(Dispatcher(stand.context, settings, None, stand.queued, not_before=pause).run())
        await stand.until_states("queued", "sent", "sent")
        stand.context.stopping.set()


async def test_a_deferred_message_that_cannot_be_read_fails_and_the_others_go_out(postgres_database: str) -> None:
    clock = MovedClock(NIGHT)
    messages = POLICY.messages.model_copy(update={"quiet_channels": ("sms", "email")})
    quiet = POLICY.model_copy(update={"messages": messages})
    async with standing(postgres_database, policy=quiet, clock=clock) as stand:
        await stand.hear(opened("email", EMAIL), CLOSED.model_copy(update={"occurred_at": NIGHT}))
        other = {"occurred_at": NIGHT, "case_id": derived_id("another")}
        await stand.hear(opened("email", EMAIL).model_copy(update=other), CLOSED.model_copy(update=other))
        await stand.context.pool.execute("UPDATE deliveries SET request = '[]' WHERE case_id = $1", other["case_id"])
        clock.at = NIGHT + timedelta(hours=6, seconds=1)
        async with stand.dispatching():
            await stand.until_states("failed", "sent", "sent")
        assert (await stand.names()).count("failed") == 1


async def test_a_reopened_case_withdraws_its_survey(postgres_database: str) -> None:
    clock = MovedClock(NIGHT)
    async with standing(postgres_database, policy=POLICY, clock=clock) as stand:
        await stand.hear(opened("phone", PHONE), CLOSED.model_copy(update={"occurred_at": NIGHT}))
        await stand.hear(a(SurveyRequested, channel="sms", language="en", occurred_at=NIGHT))
        assert await stand.states() == ["queued", "queued"]
        await stand.hear(a(CaseReopened, version=5, state="queued", cycle=2, occurred_at=NIGHT))
        assert await stand.states() == ["dropped", "dropped", "queued"]


async def test_a_conversation_is_greeted_and_asked_to_choose_once(notify: Stand) -> None:
    spoken = {"contact": contact("chat"), "customer": customer()}
    words = a(ContactReceived, author="customer", choice_needed=True, **spoken)
    await notify.hear(a(ContactStarted, **spoken), words)
    await notify.hear(words, cause="another message without a need")
    said = await notify.said()
    assert purposes(said) == ["greeting", "choice"]
    assert len(said) == 2
    choice = said[1]
    assert isinstance(choice, OutboundMessageRequested)
    assert choice.case_id is None
    assert len(choice.choices or ()) == 4


async def test_after_a_chat_has_ended_words_go_to_the_phone(notify: Stand) -> None:
    ended = a(ContactEnded, contact=contact("chat"), customer=customer(PHONE), cases=(CHAT.case_id,))
    await notify.hear(CHAT)
    await notify.hear(ended)
    await notify.hear(RESOLVED)
    assert await notify.states() == ["queued"]
    assert await notify.context.pool.fetchval("SELECT channel FROM deliveries") == "sms"


async def test_a_due_callback_is_placed_once_per_attempt(notify: Stand) -> None:
    await notify.hear(a(CallbackDue))
    [call] = await notify.said()
    assert isinstance(call, OutboundCallRequested)
    await notify.hear(a(CallbackDue, attempt=2, phone="+19002345678"))
    assert await notify.said() == [call]


async def test_a_followup_that_is_ahead_of_its_case_waits_and_nobody_with_it(notify: Stand) -> None:
    early: dict[str, Any] = {"case_id": derived_id("not here")}
    batch = [
        received(a(ReminderDue, about="information", **early), "early"),
        received(a(CallbackDue, **early), "behind it"),
        received(a(ReminderDue, about="information"), "ahead in the batch only"),
        received(CHAT, "opening"),
    ]
    async with notify.context.pool.acquire() as connection, connection.transaction():
        work = Work(connection, batch, NOW)
        await notify.handler(work)
    assert await notify.states() == ["dropped"], "the one that was ahead in the batch only: its case waits for nothing"
    assert set(work.postponed) == {id(each) for each in batch[:2]}


async def test_options_are_offered_as_choices_and_hostile_words_stay_words(notify: Stand) -> None:
    hostile = "{{7*7}} {0.__class__} {company} \u202e\u200b'); DROP TABLE cases; --"
    asked = a(CaseInformationRequested, version=2, state="waiting_customer", text=hostile, fields=("order_no",))
    await notify.hear(CHAT, asked)
    await notify.hear(a(SolutionProposed, version=3, state="assigned"))
    request, options = [each for each in await notify.said() if isinstance(each, OutboundMessageRequested)]
    assert "{{7*7}} {0.__class__} {company} '); DROP TABLE cases; --" in request.text
    assert [each.id for each in options.choices or ()] == ["option_id"]


async def test_an_unreachable_customer_is_told_of_and_not_forgotten(notify: Stand) -> None:
    await notify.hear(opened("phone"), a(MilestoneReached, version=2, state="assigned", milestone="refund_issued"))
    assert (await notify.names(), await notify.states()) == (["suppressed"], ["suppressed"])
