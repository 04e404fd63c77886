"""Does intake follow the public journal: closed cases, reopenings, surveys, confirmations?"""

from uuid import UUID

from contracts.case_number import case_number
from contracts.intake import ConfirmationReply, ContactReceived
from contracts.message import derived_id
from contracts.router import (
    CaseClosed,
    CaseEvent,
    CaseInformationRequested,
    CaseMerged,
    CaseReclassified,
    CaseReopened,
    CaseResolved,
    SurveySent,
)
from contracts.values import Actor, Cause, PolicyRef, Priority
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, mail, only, received, text


def event(desk: Desk, kind: type[CaseEvent], case: UUID, version: int, state: str, **data: object) -> CaseEvent:
    return kind.model_validate(
        {
            "case_id": case,
            "case_number": case_number(case),
            "version": version,
            "state": state,
            "occurred_at": desk.now,
            "policy": PolicyRef(name="standard", version="1"),
            "cause": Cause(id="x", type="y"),
            "by": Actor(kind="system", id="router"),
            "previous_hash": "0" * 64,
            **data,
        },
    )


async def opened(desk: Desk, words: str = "耳机没声音了") -> UUID:
    contact = await only(desk, text(words, PHONE))
    return contact.demands[0].case_id


async def closed(desk: Desk) -> UUID:
    case = await opened(desk)
    await desk.hear(event(desk, CaseClosed, case, 5, "closed", outcome="confirmed", cycle=1))
    return case


async def test_a_plain_yes_or_no_about_a_solved_case_is_a_confirmation(desk: Desk) -> None:
    case = await opened(desk)
    await desk.hear(event(desk, CaseResolved, case, 4, "solved", resolution="换新", cycle=1))

    no = await only(desk, text("还是不行，没有声音"))
    assert (no.confirmation, no.joins) == (ConfirmationReply(case_id=case, solved=False), (case,))
    yes = await only(desk, text("好了，谢谢"))
    assert yes.confirmation == ConfirmationReply(case_id=case, solved=True)


async def test_thanks_alone_reopen_nothing(desk: Desk) -> None:
    case = await closed(desk)
    thanks = await only(desk, text("谢谢"))

    assert case
    assert (thanks.joins, thanks.demands, thanks.choice_needed) == ((), (), False)


async def test_a_reply_inside_the_window_belongs_to_the_closed_case(desk: Desk) -> None:
    case = await closed(desk)
    desk.later(days=6)
    assert (await only(desk, text("耳机又没声音了", PHONE))).joins == (case,)


async def test_a_reply_after_the_window_follows_up(desk: Desk) -> None:
    case = await closed(desk)
    desk.later(days=8)
    [demand] = (await only(desk, text("耳机又没声音了", PHONE))).demands

    assert (demand.relation, demand.follows) == ("follows_up", case)
    assert demand.case_id != case


async def test_another_matter_after_closing_is_a_new_case(desk: Desk) -> None:
    await closed(desk)
    [demand] = (await only(desk, text("发票怎么开", PHONE))).demands
    assert demand.relation == "opens"


async def test_a_survey_is_answered_from_the_inbound_channel_once(desk: Desk) -> None:
    case = await closed(desk)
    customer = derived_id("nobody")
    survey = derived_id(case, "survey", 1)
    customer = await desk.pool.fetchval("SELECT customer_id FROM customers")
    sent = event(
        desk,
        SurveySent,
        case,
        6,
        "closed",
        survey_id=survey,
        customer_id=customer,
        channel="chat",
        conversation_id="chat-1",
        cycle=1,
        expires_at=desk.now.replace(year=2027),
    )
    await desk.hear(sent)
    answer = (await only(desk, text("5 4 5 2 thanks"))).survey_answer

    assert answer is not None
    assert (answer.survey_id, answer.response_speed, answer.effectiveness, answer.attitude, answer.overall) == (
        survey,
        5,
        4,
        5,
        2,
    )


async def test_an_sms_answers_the_survey_of_a_call(desk: Desk) -> None:
    case = await closed(desk)
    customer = await desk.pool.fetchval("SELECT customer_id FROM customers")
    await desk.hear(
        event(
            desk,
            SurveySent,
            case,
            6,
            "closed",
            survey_id=derived_id(case, "s"),
            customer_id=customer,
            channel="sms",
            cycle=1,
            expires_at=desk.now.replace(year=2027),
        ),
    )
    reply = await only(desk, text("满意，5分", PHONE, conversation="sms:+8613800138000", channel="sms"))
    assert reply.survey_answer is not None
    assert reply.survey_answer.overall == 5


async def test_reopening_withdraws_the_survey(desk: Desk) -> None:
    case = await closed(desk)
    customer = await desk.pool.fetchval("SELECT customer_id FROM customers")
    await desk.hear(
        event(
            desk,
            SurveySent,
            case,
            6,
            "closed",
            survey_id=derived_id(case, "s"),
            customer_id=customer,
            channel="chat",
            conversation_id="chat-1",
            cycle=1,
            expires_at=desk.now.replace(year=2027),
        ),
        event(desk, CaseReopened, case, 7, "queued", reason="x", cycle=2),
    )
    reply = await only(desk, text("5"))
    assert reply.survey_answer is None
    assert reply.joins == (case,)


async def test_old_news_changes_nothing_and_a_merged_case_points_on(desk: Desk) -> None:
    first = await opened(desk)
    other = (await only(desk, text("发票怎么开", PHONE, conversation="b"))).demands[0].case_id
    await desk.hear(event(desk, CaseMerged, first, 9, "merged", into_case_id=other, reason="same"))
    old = event(desk, CaseReopened, first, 3, "queued", reason="old", cycle=1)
    unknown = event(desk, CaseReopened, derived_id("a case that intake never saw"), 3, "queued", reason="x", cycle=1)
    assert desk.idle == []
    await desk.hear(old, unknown)
    assert desk.idle == [old, unknown]

    assert (await only(desk, text("耳机怎么还没好", PHONE))).joins == (other,)


async def test_words_find_the_case_that_goes_on_after_two_merges(desk: Desk) -> None:
    first = await opened(desk)
    second = (await only(desk, text("发票怎么开", PHONE, conversation="b"))).demands[0].case_id
    third = (await only(desk, text("快递三天没有更新物流信息", PHONE, conversation="c"))).demands[0].case_id
    await desk.hear(event(desk, CaseMerged, first, 9, "merged", into_case_id=second, reason="same"))
    await desk.hear(event(desk, CaseMerged, second, 9, "merged", into_case_id=third, reason="same"))

    assert (await only(desk, text("耳机怎么还没好", PHONE))).joins == (third,)
    assert (await only(desk, text(f"{case_number(first)} 有消息吗", PHONE, conversation="d"))).joins == (third,)


async def test_who_called_answers_by_sms_what_was_asked_by_sms(desk: Desk) -> None:
    call = await only(desk, text("耳机没声音了", PHONE, conversation="call", channel="phone"))
    case = call.demands[0].case_id
    await desk.hear(event(desk, CaseInformationRequested, case, 3, "waiting_customer", fields=("order_no",)))
    told = await only(desk, text("A123456789 红色的那个", PHONE, conversation="sms-1", channel="sms"))
    assert (told.joins, told.demands, told.choice_needed) == ((case,), (), False)

    await desk.hear(event(desk, CaseResolved, case, 5, "solved", resolution="换新", cycle=1))
    no = await only(desk, text("否", PHONE, conversation="sms-1", channel="sms"))
    assert no.confirmation == ConfirmationReply(case_id=case, solved=False)


async def test_a_correction_of_the_category_is_followed(desk: Desk) -> None:
    contact = await only(desk, text("耳机没声音了", PHONE))
    judged = contact.demands[0].demand.classification
    other = judged.model_copy(update={"category": "billing"})
    await desk.hear(
        event(
            desk,
            CaseReclassified,
            contact.demands[0].case_id,
            2,
            "queued",
            classification=other,
            previous=judged,
            priority=Priority(value=1, band="low"),
            department="operations",
            reason="x",
        ),
    )
    call = await only(desk, text("账单不对，多收了钱", PHONE, conversation="call", channel="phone"))
    assert call.joins == (contact.demands[0].case_id,)


async def test_a_proposal_that_the_journal_never_shows_is_not_joined_for_ever(desk: Desk) -> None:
    case = await opened(desk)
    desk.later(hours=2)
    [demand] = (await only(desk, text("耳机没声音了", PHONE))).demands
    assert demand.case_id != case


async def test_mail_threads_that_begin_in_one_batch_are_one(desk: Desk) -> None:
    said = received(
        await desk.hear(
            mail("Broken kettle", "The kettle leaks.", "1@example.com"),
            mail("Re: Broken kettle", "It is a blue one.", "2@example.com", References="<1@example.com>"),
            mail("Re: Broken kettle", "Hello?", "3@example.com", In_Reply_To="<2@example.com>"),
        ),
    )
    assert len({contact.contact.conversation_id for contact in said}) == 1
    assert [isinstance(contact, ContactReceived) and bool(contact.demands) for contact in said] == [True, False, False]
