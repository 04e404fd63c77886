"""Does a channel event become the right contact, customer and proposed case?"""

from contracts.channel import CallbackRequested, ConversationEnded, ConversationStarted
from contracts.intake import (
    ContactCallbackRequested,
    ContactEnded,
    ContactReceived,
    ContactStarted,
)
from contracts.message import derived_id
from contracts.values import Party
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import MEMBER, PHONE, only, received, text


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


async def test_a_choice_offered_by_sms_is_understood_and_two_machines_prompt_no_loop(desk: Desk) -> None:
    words = ("hello", "I am driving", "2", "1")
    heard = [await only(desk, text(each, PHONE, conversation="sms-1", channel="sms")) for each in words]

    assert [contact.choice_needed for contact in heard] == [True, False, False, False]
    assert [demand.demand.classification.scenario for demand in heard[2].demands] == ["problem"]
    assert heard[3].demands == (), "the prompt was answered: a later figure answers something else"
    assert heard[3].joins == (heard[2].demands[0].case_id,)


async def test_an_agents_words_do_not_change_the_customers_language(desk: Desk) -> None:
    await only(desk, text("路由器坏了，上不了网", PHONE))
    said = text("I have restarted your router from our side, please try again", PHONE)
    answer = await only(desk, said.model_copy(update={"author": "agent", "agent_id": "a1"}))

    assert answer.customer.language == "zh-CN"


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


async def test_an_order_number_in_the_words_makes_nobody_its_owner(desk: Desk) -> None:
    order = Party(kind="order", value="A123456789")
    owner = await only(desk, text("快递三天没有更新物流信息，订单A123456789", PHONE, order, conversation="a"))
    other = await only(desk, text("订单A123456789的快递物流到哪了", conversation="b"))

    assert other.customer.customer_id != owner.customer.customer_id
    assert other.customer.parties == ()
    assert other.joins == ()
    assert other.demands[0].demand.facts["order_no"] == "A123456789"


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


async def test_two_messages_of_one_conversation_in_one_batch_open_one_case(desk: Desk) -> None:
    said = received(await desk.hear(text("耳机没声音了"), text("换了手机也没声音")))

    assert said[1].joins == (said[0].demands[0].case_id,)
    assert await desk.pool.fetchval("SELECT count(*) FROM cases") == 1


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
