"""Is the same conversation id on two channels two conversations, everywhere (R8)?"""

from contracts.channel import CallbackRequested, ConversationEnded
from contracts.intake import ContactCallbackRequested, ContactEnded, ContactReceived
from contracts.message import derived_id
from contracts.router import CaseClosed, CaseOpened, SurveySent
from contracts.values import History, Party
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, only, text
from tests.integration.intake.test_journal import event

OTHER = Party(kind="social", value="s-2")


async def _two(desk: Desk) -> tuple[ContactReceived, ContactReceived]:
    """Return what a chat customer and a social one say, in conversations that happen to have one id."""
    chat = await only(desk, text("耳机没声音了", PHONE, conversation="v1"))
    return chat, await only(desk, text("耳机没声音了", OTHER, conversation="v1", channel="social"))


async def test_one_id_on_two_channels_is_two_cases_of_two_people(desk: Desk) -> None:
    chat, social = await _two(desk)
    again = await only(desk, text("换了手机也没声音", conversation="v1", channel="social"))

    assert [contact.contact.conversation_id for contact in (chat, social)] == ["v1", "v1"]
    assert [contact.contact.channel for contact in (chat, social)] == ["chat", "social"]
    assert chat.customer.customer_id != social.customer.customer_id
    assert chat.customer.parties == (Party(kind="phone", value="+8613800138000"),)
    assert social.joins == ()
    assert social.demands[0].case_id != chat.demands[0].case_id
    assert again.joins == (social.demands[0].case_id,)
    assert await desk.pool.fetchval("SELECT count(*) FROM customer_merges") == 0


async def test_callbacks_and_endings_mean_the_conversation_of_their_channel(desk: Desk) -> None:
    chat, social = await _two(desk)
    [wish] = await desk.hear(CallbackRequested(channel="social", conversation_id="v1", phone="+8613900000000"))
    [ended] = await desk.hear(
        ConversationEnded(channel="chat", conversation_id="v1", ended_by="customer", duration_seconds=9),
    )

    assert isinstance(wish, ContactCallbackRequested)
    assert isinstance(ended, ContactEnded)
    assert wish.case_id == social.demands[0].case_id
    assert ended.cases == (chat.demands[0].case_id,)


async def test_the_journal_of_one_channel_says_nothing_of_the_others_conversation(desk: Desk) -> None:
    chat = await only(desk, text("在吗", PHONE, conversation="v1"))
    social = await only(desk, text("耳机没声音了", OTHER, conversation="v1", channel="social"))
    case = derived_id("a case opened at a desk")
    opened = {
        "record_no": "R-1",
        "history": History(),
        "demand": social.demands[0].demand,
        "customer": chat.customer,
        "contact": chat.contact,
        "priority": {"value": 1, "band": "low"},
        "department": "operations",
    }
    await desk.hear(event(desk, CaseOpened, case, 1, "queued", **opened))

    joined = await only(desk, text("E42", conversation="v1"))
    assert joined.joins == (case,)
    assert (await only(desk, text("E42", conversation="v1", channel="social"))).joins == (social.demands[0].case_id,)


async def test_a_survey_is_answered_in_the_conversation_of_its_channel(desk: Desk) -> None:
    chat, social = await _two(desk)
    cases = (chat.demands[0].case_id, social.demands[0].case_id)
    for case in cases:
        await desk.hear(event(desk, CaseClosed, case, 5, "closed", outcome="confirmed", cycle=1))
    survey = {
        "survey_id": derived_id(cases[0], "s"),
        "customer_id": chat.customer.customer_id,
        "channel": "chat",
        "conversation_id": "v1",
        "cycle": 1,
        "expires_at": desk.now.replace(year=2027),
    }
    await desk.hear(event(desk, SurveySent, cases[0], 6, "closed", **survey))

    assert (await only(desk, text("5", conversation="v1", channel="social"))).survey_answer is None
    assert (await only(desk, text("5", conversation="v1"))).survey_answer is not None
