"""Are survey scores read in whatever way they are written (F4)?"""

import pytest

from contracts.message import derived_id
from services.intake.domain.replies import ReplyReader, survey_answer_of

SURVEY = derived_id("a survey")


@pytest.mark.parametrize(
    ("text", "overall"),
    [
        ("5", 5),
        ("2", 2),
        ("满意，5分", 5),
        ("满意度 4", 4),
        ("非常满意", 5),
        ("不满意", 2),
        ("非常不满意", 1),
        ("very satisfied", 5),
        ("5 4 5 1 thanks", 1),
        ("5,4,5,5", 5),
        ("3 stars", 3),
        ("我的订单A202310001还没到", None),
        ("I waited 3 days for my parcel and it is broken", None),
        ("12", None),
        ("⭐⭐⭐⭐⭐", 5),
        ("⭐️⭐️⭐️", 3),
        ("★★★★☆", 4),
        ("⭐⭐ 不太好", 2),
        ("谢谢你 🌟", None),
        ("⭐⭐⭐⭐⭐⭐", None),
        ("-5", None),
        ("−5", None),
        ("评分 -5", None),
        ("满意度-5", 5),
        ("1.5 2.4 3.5 4.2", None),
        ("", None),
    ],
)
def test_survey_scores_are_read(reader: ReplyReader, text: str, overall: int | None) -> None:
    answer = survey_answer_of(reader, SURVEY, text)
    assert (answer.overall if answer else None) == overall


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("5, 4, 5, 2.", (5, 4, 5, 2)),
        ("5 4 5 2. Thanks", (5, 4, 5, 2)),
        ("5/1/5/5", (5, 1, 5, 5)),
        ("5452", (5, 4, 5, 2)),
        ("５４５２", (5, 4, 5, 2)),
        ("5.4.5.1", (5, 4, 5, 1)),
        ("1. 5\n2. 4\n3. 5\n4. 2", (5, 4, 5, 2)),
        ("速度5 结果4 态度5 总体1.", (5, 4, 5, 1)),
        ("1) 5 2) 4 3) 5 4) 2", (5, 4, 5, 2)),
        ("1）5 2）4 3）5 4）2 谢谢", (5, 4, 5, 2)),
        ("(1) 5, (2) 4, (3) 5, (4) 2", (5, 4, 5, 2)),
        ("1:5 2:4 3:5 4:2", (5, 4, 5, 2)),
        ("1：5分；2：4分；3：5分；4：2分", (5, 4, 5, 2)),
        ("1. 5 2. 4 3. 5 4. 2", (5, 4, 5, 2)),
        ("⭐⭐⭐⭐⭐", (None, None, None, 5)),
        ("5.", (None, None, None, 5)),
    ],
)
def test_four_scores_are_four_however_they_are_written(
    reader: ReplyReader, text: str, scores: tuple[int | None, ...]
) -> None:
    answer = survey_answer_of(reader, SURVEY, text)
    assert answer is not None
    assert (answer.response_speed, answer.effectiveness, answer.attitude, answer.overall) == scores
