"""Does a channel event become the right contact, customer and proposed case?"""

import asyncio
import base64

import pytest

from contracts.channel import CallbackRequested, ConversationEnded, ConversationStarted, EmailReceived
from contracts.intake import (
    ContactCallbackRequested,
    ContactEnded,
    ContactIgnored,
    ContactMessage,
    ContactReceived,
    ContactStarted,
)
from contracts.message import derived_id
from contracts.values import Party
from services.runtime.errors import TransientError
from services.runtime.work import Work
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import MEMBER, PHONE, mail, only, received, text
from tests.support.floor import until


async def test_a_chat_is_greeted_once_and_its_need_becomes_a_case(desk: Desk) -> None:
    started = ConversationStarted(
        channel="chat",
        conversation_id="chat-1",
        to="shop",
        display_name="Li",
        from_=(PHONE,),
    )
    said = await desk.hear(started, text("我的快递三天没更新了"))

    assert [type(message) for message in said] == [ContactStarted, ContactReceived]
    [contact] = received(said)
    [demand] = contact.demands
    assert demand.relation == "opens"
    assert demand.case_id == derived_id("case", demand.demand.demand_id)
    assert demand.demand.classification.category == "logistics"
    assert demand.demand.department == "operations"
    assert {item.field for item in demand.demand.classification.evidence} >= {"scenario", "category", "severity"}
    assert contact.customer.parties == (Party(kind="phone", value="+8613800138000"),)
    assert contact.customer.name == "Li"
    assert contact.customer.language == "zh-CN"
    assert contact.contact.contact_id == said[0].contact.contact_id


async def test_without_a_need_the_customer_chooses_and_the_choice_is_understood(desk: Desk) -> None:
    asked = await only(desk, text("你好，在吗"))
    chosen = await only(desk, text("2"))

    assert asked.choice_needed
    assert asked.demands == ()
    assert not chosen.choice_needed
    assert [demand.demand.classification.scenario for demand in chosen.demands] == ["problem"]


async def test_the_choice_prompt_is_not_repeated(desk: Desk) -> None:
    await only(desk, text("在吗"))
    assert not (await only(desk, text("？？？"))).choice_needed


async def test_more_words_join_the_open_case_of_the_conversation(desk: Desk) -> None:
    first = await only(desk, text("The printer stopped working"))
    second = await only(desk, text("It shows error E42 since this morning"))

    assert second.demands == ()
    assert second.joins == (first.demands[0].case_id,)


async def test_a_graver_turn_carries_the_new_classification(desk: Desk) -> None:
    first = await only(desk, text("My charger makes a strange noise, it is broken"))
    second = await only(desk, text("now the charger caught fire!"))

    assert [(demand.relation, demand.case_id) for demand in second.demands] == [("joins", first.demands[0].case_id)]
    assert second.demands[0].demand.classification.safety


async def test_two_demands_become_two_cases_in_the_order_of_urgency(desk: Desk) -> None:
    contact = await only(desk, text("上个月的发票能不能改成电子的，另外整个门店的系统崩了，收银全停"))

    assert [item.demand.classification.severity for item in contact.demands] == ["urgent", "normal"]
    assert [item.demand.position for item in contact.demands] == [1, 2]
    assert len({item.case_id for item in contact.demands}) == 2


async def test_the_customers_own_order_overrides(desk: Desk) -> None:
    contact = await only(desk, text("第一，发票能不能改成电子的？第二，整个门店的系统崩了，收银全停"))

    assert [item.demand.classification.severity for item in contact.demands] == ["normal", "urgent"]


async def test_several_identifiers_are_one_customer_and_known_customers_are_merged(desk: Desk) -> None:
    by_phone = await only(desk, text("发票怎么开", PHONE, conversation="a"))
    desk.later(minutes=1)
    by_member = await only(desk, text("密码忘了登不进去", MEMBER, conversation="b"))
    both = await only(desk, text("物流五天没动了", PHONE, MEMBER, conversation="c"))

    assert by_phone.customer.customer_id != by_member.customer.customer_id
    assert both.customer.customer_id == by_phone.customer.customer_id
    assert {party.kind for party in both.customer.parties} == {"phone", "member"}
    assert both.history.earlier_cases == 2
    assert {case.case_id for case in both.history.open_cases} == {
        by_phone.demands[0].case_id,
        by_member.demands[0].case_id,
    }
    merge = await desk.pool.fetchrow("SELECT survivor, merged, moved FROM customer_merges")
    assert merge is not None
    assert (merge["survivor"], merge["merged"]) == (by_phone.customer.customer_id, by_member.customer.customer_id)
    owner = await desk.pool.fetchval("SELECT customer_id FROM identifiers WHERE kind = 'member'")
    assert owner == by_member.customer.customer_id


async def test_people_with_different_member_accounts_stay_two(desk: Desk) -> None:
    other = Party(kind="member", value="M-78")
    one = await only(desk, text("发票怎么开", PHONE, MEMBER, conversation="a"))
    two = await only(desk, text("发票怎么开", other, conversation="b"))
    shared = await only(desk, text("物流五天没动了", PHONE, other, conversation="c"))

    assert shared.customer.customer_id == two.customer.customer_id != one.customer.customer_id
    assert await desk.pool.fetchval("SELECT count(*) FROM customer_merges") == 0


async def test_refusing_to_be_identified_blocks_nothing(desk: Desk) -> None:
    contact = await only(desk, text("耳机没声音了"))
    again = await only(desk, text("换了个手机也不行"))

    assert contact.customer.parties == ()
    assert again.customer.customer_id == contact.customer.customer_id


async def test_the_same_subject_of_one_customer_joins_across_channels(desk: Desk) -> None:
    chat = await only(desk, text("我的快递三天没更新了", PHONE))
    call = await only(desk, text("快递还是没到，怎么回事", PHONE, conversation="call-9", channel="phone"))

    assert call.joins == (chat.demands[0].case_id,)
    assert call.history.repeat_of_unsolved is None


async def test_repeated_complaints_mean_at_risk(desk: Desk) -> None:
    first = await only(desk, text("我要投诉你们客服，态度太差", PHONE, conversation="a"))
    assert not first.customer.at_risk
    await only(desk, text("我要投诉快递员乱扔包裹", PHONE, conversation="b"))
    third = await only(desk, text("发票怎么开", PHONE, conversation="c"))
    assert third.customer.at_risk


async def test_a_mail_thread_is_one_conversation_and_quotes_are_cut(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    reply = await only(
        desk,
        mail(
            "Re: Broken kettle",
            "Any news?\r\n\r\nOn Mon, Nov 2, 2026 at 9:30 AM Shop <h@shop.example> wrote:\r\n> hello",
            "2@example.com",
            In_Reply_To="<ours@shop.example>",
            References="<1@example.com> <ours@shop.example>",
        ),
    )

    assert reply.contact.conversation_id == first.contact.conversation_id
    assert reply.text == "Any news?"
    assert reply.joins == (first.demands[0].case_id,)
    assert first.contact.in_reply_to == "<1@example.com>"
    assert first.contact.reply_token
    assert first.contact.contact_id != reply.contact.contact_id


async def test_a_case_number_in_the_subject_finds_the_case(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    other = await only(desk, mail(f"[{first.contact.reply_token}] news", "please tell me more", "9@elsewhere.net"))

    assert other.joins == (first.demands[0].case_id,)


async def test_a_wrong_case_number_finds_nothing(desk: Desk) -> None:
    first = await only(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com"))
    assert first.contact.reply_token
    token = first.contact.reply_token
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    other = await only(
        desk, mail(f"[{wrong}] my lamp", "the lamp is broken", "9@elsewhere.net", sender="x@example.org")
    )
    assert [demand.relation for demand in other.demands] == ["opens"]


@pytest.mark.parametrize(
    ("headers", "sender", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "li@example.com", "automatic"),
        ({"List_Id": "<news.example.com>"}, "li@example.com", "mailing_list"),
        ({"Return_Path": "<>"}, "MAILER-DAEMON@example.com", "bounce"),
        ({"X_Caseloop_Delivery": "7"}, "li@example.com", "own_message"),
    ],
)
async def test_automatic_mail_is_ignored_and_leaves_nothing_behind(
    desk: Desk,
    headers: dict[str, str],
    sender: str,
    reason: str,
) -> None:
    [said] = await desk.hear(mail("Re: your mail", "I am away", "5@example.com", sender=sender, **headers))

    assert isinstance(said, ContactIgnored)
    assert said.reason == reason
    assert await desk.pool.fetchval("SELECT count(*) FROM customers") == 0


async def test_a_sender_over_the_threshold_is_a_loop(desk: Desk) -> None:
    said = await desk.hear(*(mail(f"Broken {number}", "it is broken", f"{number}@example.com") for number in range(31)))
    later = await desk.hear(mail("Broken", "it is broken", "99@example.com"))

    assert [message.reason for message in [*said, *later] if isinstance(message, ContactIgnored)] == ["loop", "loop"]
    desk.later(hours=2)
    assert received(await desk.hear(mail("Broken", "it is broken", "100@example.com")))


async def test_broken_base64_and_nul_do_not_stop_anybody(desk: Desk) -> None:
    raw = base64.b64encode(b"From: a@b.co\r\nSubject: x\r\n\r\nthe lamp \0 is broken").decode()
    said = await desk.hear(
        EmailReceived(channel="email", raw_base64="%%% not base64"),
        EmailReceived(channel="email", raw_base64=raw),
        text("broken \0 lamp", conversation="c\0d"),
    )
    assert len(received(said)) == 3
    assert "\0" not in "".join(message.text for message in received(said))


async def test_two_messages_of_one_conversation_in_one_batch_open_one_case(desk: Desk) -> None:
    said = received(await desk.hear(text("耳机没声音了"), text("换了手机也没声音")))

    assert said[1].joins == (said[0].demands[0].case_id,)
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1


async def test_racing_first_messages_open_exactly_one_case(desk: Desk) -> None:
    async def one(words: str) -> list[ContactMessage]:
        envelope = desk.envelope(text(words, PHONE))
        for _ in range(10):
            try:
                return await desk.take(envelope)
            except TransientError:
                continue
        raise AssertionError(words)

    said = await asyncio.gather(*(one("耳机没声音了") for _ in range(8)))

    opened = [contact for each in said for contact in received(each) if contact.demands]
    assert len(opened) == 1
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1
    assert await desk.pool.fetchval("SELECT count(*) FROM customers") == 1


async def test_racing_conversations_of_one_customer_and_subject_open_one_case(desk: Desk) -> None:
    first, second = (
        desk.envelope(text("耳机没声音了", PHONE, conversation="a")),
        desk.envelope(
            text("耳机没声音了", PHONE, conversation="b"),
        ),
    )
    await desk.hear(text("你好", PHONE, conversation="z"))
    async with desk.pool.acquire() as one, desk.pool.acquire() as two:
        async with one.transaction():
            await desk.handler(Work(one, [first], desk.now))
            rival = asyncio.create_task(_in_transaction(desk, Work(two, [second], desk.now)))
            await until(lambda: _somebody_waits(desk))
        with pytest.raises(TransientError):
            await rival
    [contact] = received(await desk.take(second))
    assert contact.joins
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1


async def _somebody_waits(desk: Desk) -> bool:
    return bool(await desk.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def _in_transaction(desk: Desk, work: Work) -> None:
    async with work.connection.transaction():
        await desk.handler(work)


async def test_the_end_of_a_conversation_names_its_cases_and_the_next_is_a_new_contact(desk: Desk) -> None:
    first = await only(desk, text("耳机没声音了"))
    [ended] = await desk.hear(
        ConversationEnded(channel="chat", conversation_id="chat-1", ended_by="customer", duration_seconds=60),
    )
    again = await only(desk, text("还是没声音"))

    assert isinstance(ended, ContactEnded)
    assert ended.cases == (first.demands[0].case_id,)
    assert again.contact.contact_id != first.contact.contact_id
    assert again.joins == ended.cases


async def test_a_callback_hangs_on_the_open_case_or_opens_one(desk: Desk) -> None:
    wish = CallbackRequested(channel="chat", conversation_id="chat-1", phone="+8613800138000", purpose="发票的事")
    [first] = await desk.hear(wish)
    [second] = await desk.hear(wish)

    assert isinstance(first, ContactCallbackRequested)
    assert isinstance(second, ContactCallbackRequested)
    assert first.demand is not None
    assert second.demand is None
    assert second.case_id == first.case_id


async def test_an_agents_words_join_and_are_not_judged(desk: Desk) -> None:
    first = await only(desk, text("耳机没声音了"))
    note = text("我要投诉").model_copy(update={"author": "agent", "agent_id": "a-1"})
    contact = await only(desk, note)

    assert (contact.author, contact.agent_id, contact.demands) == ("agent", "a-1", ())
    assert contact.joins == (first.demands[0].case_id,)
