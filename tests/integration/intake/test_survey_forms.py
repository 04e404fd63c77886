"""Is a survey answered in whatever form a customer fills it in (F4)?"""

import pytest

from contracts.message import derived_id
from contracts.router import SurveySent
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import only, text
from tests.integration.intake.test_journal import closed, event


async def _asked(desk: Desk) -> None:
    case = await closed(desk)
    survey = {
        "survey_id": derived_id(case, "s"),
        "customer_id": await desk.pool.fetchval("SELECT customer_id FROM customers"),
        "channel": "chat",
        "conversation_id": "chat-1",
        "cycle": 1,
        "expires_at": desk.now.replace(year=2027),
    }
    await desk.hear(event(desk, SurveySent, case, 6, "closed", **survey))


@pytest.mark.parametrize(
    ("words", "scores"),
    [
        ("1) 5 2) 4 3) 5 4) 2", (5, 4, 5, 2)),
        ("1:5 2:4 3:5 4:2", (5, 4, 5, 2)),
        ("⭐⭐⭐⭐⭐", (None, None, None, 5)),
    ],
)
async def test_a_form_is_read(desk: Desk, words: str, scores: tuple[int | None, ...]) -> None:
    await _asked(desk)
    heard = await only(desk, text(words))
    answer = heard.survey_answer

    assert answer is not None
    assert (answer.response_speed, answer.effectiveness, answer.attitude, answer.overall) == scores
    assert (answer.text, heard.demands, heard.choice_needed) == (None, (), False)


async def test_less_than_nothing_is_no_score(desk: Desk) -> None:
    await _asked(desk)
    assert (await only(desk, text("-5"))).survey_answer is None
    assert await desk.pool.fetchval("SELECT count(*) FROM surveys") == 1, "it still waits"
