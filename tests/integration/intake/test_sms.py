"""Are short messages by SMS what they are: a wish for silence, an addition, or no need at all (R3, R8)?"""

from uuid import UUID

import pytest

from contracts.intake import ContactReceived
from contracts.router import CaseInformationReceived, CaseInformationRequested
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, only, text
from tests.integration.intake.test_journal import event


async def _sms(desk: Desk, words: str) -> ContactReceived:
    return await only(desk, text(words, PHONE, conversation="sms-1", channel="sms"))


@pytest.mark.parametrize("words", ["STOP", "TD", "T", "退订", "unsubscribe"])
async def test_stop_is_met_with_silence(desk: Desk, words: str) -> None:
    first = await _sms(desk, words)
    await _sms(desk, "耳机没声音了")
    later = await _sms(desk, words)

    for heard in (first, later):
        assert (heard.demands, heard.joins, heard.choice_needed) == ((), (), False)
        assert (heard.survey_answer, heard.confirmation) == (None, None)


async def test_stop_takes_no_prompt_away(desk: Desk) -> None:
    assert (await _sms(desk, "hello")).choice_needed
    await _sms(desk, "STOP")
    chosen = await _sms(desk, "2")
    assert [demand.demand.classification.scenario for demand in chosen.demands] == ["problem"]


async def test_stop_in_a_chat_is_a_word_like_any_other(desk: Desk) -> None:
    assert (await only(desk, text("stop", PHONE))).choice_needed


async def _call(desk: Desk, words: str = "耳机没声音了", conversation: str = "call") -> UUID:
    contact = await only(desk, text(words, PHONE, conversation=conversation, channel="phone"))
    return contact.demands[0].case_id


async def test_more_than_what_was_asked_is_an_addition_to_the_only_case(desk: Desk) -> None:
    case = await _call(desk)
    await desk.hear(event(desk, CaseInformationRequested, case, 3, "waiting_customer", fields=("order_no",)))
    told = await _sms(desk, "A123456789")
    assert told.joins == (case,)
    news = {"contact": told.contact, "text": told.text}
    await desk.hear(event(desk, CaseInformationReceived, case, 4, "queued", **news))

    more = await _sms(desk, "E42")
    assert (more.joins, more.demands, more.choice_needed) == ((case,), (), False)
    need = await _sms(desk, "发票怎么开")
    assert [demand.relation for demand in need.demands] == ["opens"]


@pytest.mark.parametrize("words", ["hello", "在吗", "谢谢", "？"])
async def test_a_greeting_is_no_addition(desk: Desk, words: str) -> None:
    await _call(desk)
    greeted = await _sms(desk, words)
    assert (greeted.joins, greeted.choice_needed) == ((), True)


async def test_of_two_cases_none_is_guessed(desk: Desk) -> None:
    await _call(desk)
    await _call(desk, "发票怎么开", "call-2")
    assert (await _sms(desk, "E42")).choice_needed


async def test_a_case_of_another_kind_of_channel_is_not_guessed(desk: Desk) -> None:
    await only(desk, text("耳机没声音了", PHONE))
    assert (await _sms(desk, "E42")).choice_needed
