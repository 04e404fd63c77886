"""Are short messages by SMS what they are: a wish for silence, an addition, or no need at all (R3, R8)?"""

import pytest

from contracts.intake import ContactReceived
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, only, text


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
