"""Do the rows of Tables 1 to 3 say what the manuals' forms ask for?"""

from datetime import timedelta
from typing import Any

import pytest

from contracts import router
from contracts.case_number import case_number, follow_up_no
from services.desk.domain.board import fold
from services.desk.domain.tables import TABLES, Row, TableName, demand_row, follow_up_row, process_row
from tests.support.examples import MOMENT, example
from tests.unit.desk.story import a_case, story

DEPARTMENTS = {"technical_support": {"en": "technical support", "zh-CN": "技术支持"}}


def _named(table: TableName, row: Row) -> dict[str, Any]:
    return dict(zip((column.key for column in TABLES[table]), row, strict=True))


def test_table_1_is_the_demand_with_its_expected_and_its_actual_end() -> None:
    events = story("table 1")
    board = fold(None, events)
    assert board is not None

    row = _named("demands", demand_row(board, events[0], MOMENT, DEPARTMENTS, "zh-CN"))

    assert row["record_no"] == case_number(a_case("table 1"))
    assert (row["customer_name"], row["contact"]) == ("王先生", "+8613800005678")
    assert row["account_or_order_no"] == "A202310001"
    assert "产品使用故障" in row["problem_type"]
    assert "ERR-500" in row["description"]
    assert (row["handler"], row["department"]) == ("Li Wei (1017)", "技术支持")
    assert row["expected_resolution"] == MOMENT + timedelta(hours=2)
    assert row["actual_resolution"] == MOMENT + timedelta(minutes=6)
    assert row["satisfaction"] == 5


def test_table_1_expects_the_end_of_the_clock_when_nothing_was_promised() -> None:
    events = story("clock")[:2]
    board = fold(None, events)
    assert board is not None
    due = MOMENT + timedelta(hours=24)

    assert _named("demands", demand_row(board, events[0], due, {}, "en"))["expected_resolution"] == due


def test_a_case_whose_beginning_is_missing_still_has_a_row() -> None:
    events = story("no beginning")[1:]
    board = fold(None, events)
    assert board is not None

    row = _named("demands", demand_row(board, None, None, {}, "en"))

    assert row["record_no"] == case_number(a_case("no beginning"))
    assert row["customer_name"] is None


def test_table_2_is_one_row_for_each_step() -> None:
    progressed = story("table 2")[4]

    row = _named("process", process_row(progressed, "Li Wei"))

    assert (row["step"], row["customer_communication"], row["owner"]) == ("问题升级", "预计11点前反馈", "Li Wei")
    assert row["tracking_no"] == progressed.tracking_no
    assert row["record_no"] == case_number(a_case("table 2"))


@pytest.mark.parametrize(
    ("solved", "feedback", "action"),
    [(True, "solved", "close"), (False, "not solved", "reopen, raised to the supervisor"), (None, "reached", "none")],
)
def test_table_3_tells_how_a_call_went(solved: bool | None, feedback: str, action: str) -> None:
    called = story("table 3")[6].model_copy(update={"solved": solved})

    row = _named("followups", follow_up_row(called, "王先生", "phone", "en"))

    assert (row["method"], row["feedback"], row["next_action"]) == ("phone", feedback, action)
    assert row["follow_up_no"] == follow_up_no(called.callback_id)


def test_table_3_has_calls_that_reached_nobody() -> None:
    exhausted = example(router.CallbackExhausted)
    assert isinstance(exhausted, router.CallbackExhausted)

    row = _named("followups", follow_up_row(exhausted, None, None, "en"))

    assert (row["feedback"], row["next_action"]) == ("not reached", "reach the customer in another way")


@pytest.mark.parametrize(
    ("scores", "action"),
    [({}, "none"), ({"overall": 2}, "recovery by the supervisor"), ({"attitude": 1}, "recovery by the supervisor")],
)
def test_table_3_has_surveys_with_what_follows(scores: dict[str, int], action: str) -> None:
    answered = story("survey")[8].model_copy(update={"via": "message", "text": "thanks", **scores})

    row = _named("followups", follow_up_row(answered, None, "sms", "en"))

    assert row["method"] == "SMS"
    assert row["feedback"].startswith("speed 4; effectiveness 5; attitude ")
    assert (row["improvement_suggestion"], row["next_action"]) == ("thanks", action)
