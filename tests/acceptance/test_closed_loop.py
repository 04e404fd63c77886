"""Does the whole loop close on real input, and can it be proven afterwards?"""

import json
from pathlib import Path
from typing import Any

import httpx
import openpyxl

from contracts.case_number import parse_case_number
from tests.support.system import System, until

SEED = json.loads((Path(__file__).parents[1] / "data" / "seed_sample.json").read_text("utf-8"))


def _played(system: System, scenario: str) -> str:
    """Play one scenario to its end and return the number of its case."""
    number = parse_case_number(system.cli("demo", "--scenario", scenario).stdout)
    assert number is not None
    return number


def _table(system: System, table: str, number: str) -> list[dict[str, Any]]:
    """Return what a table of the manual says of one case, in the words of the form."""
    exported = system.cli("export", table, "--format", "json", "--language", "zh-CN").stdout
    return [row for row in json.loads(exported) if row["record_no"] == number]


def _board(system: System) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(system.cli("case", "list", "--json").stdout)["cases"]
    return cases


def test_the_demo_sees_every_expected_event_and_the_audit_proves_it(system: System) -> None:
    played = system.cli("demo")
    assert "14 of 14 scenarios complete" in played.stdout
    audit = json.loads(system.cli("audit", "--json").stdout)
    assert audit["findings"] == []
    assert json.loads(system.cli("status", "--json").stdout)["healthy"] is True


def test_the_sample_case_fills_the_forms_of_the_manual(system: System) -> None:
    (demand,), steps, (follow_up,) = SEED["demand_records"], SEED["process_records"], SEED["follow_up_records"]
    number = _played(system, "sample_case")
    until(lambda: len(_table(system, "followups", number)) == 2, "the survey in Table 3")

    (first,) = _table(system, "demands", number)
    for column in ("customer_name", "account_or_order_no", "urgency", "department", "satisfaction"):
        assert first[column] == demand[column], column
    assert demand["problem_type"] in first["problem_type"]
    assert demand["description"] in first["description"]

    columns = ("step", "action", "customer_communication", "attachment")
    assert [[row[column] for column in columns] for row in _table(system, "process", number)] == [
        [step[column] for column in columns] for step in steps
    ]

    third = _table(system, "followups", number)
    said = ("customer_name", "method", "questions", "feedback", "improvement_suggestion", "next_action")
    name, score = follow_up["customer_name"], demand["satisfaction"]
    scores = f"响应速度 {score}; 解决效果 5; 服务态度 5; 总体满意度 5"
    assert [[row[column] for column in said] for row in third] == [
        [name, "电话", "问题是否已解决?", "已解决", "all fine now, thank you", "关闭"],
        [name, "短信", "请评价响应速度、解决效果、服务态度、总体满意度(1-5)", scores, f"{score} 5 5 5 很满意", "无"],
    ]
    assert all(row["follow_up_no"].startswith(follow_up["follow_up_no"]) for row in third)


def test_a_milestone_is_one_sms_from_the_opening_of_its_case_to_the_end(system: System) -> None:
    number = _played(system, "everyday_chat")
    until(lambda: _state(system, number) == "closed", "the end of the case")

    accepted = httpx.get(f"{system.sms}/messages").json()["messages"]

    about = [each["text"] for each in accepted if number in each["text"]]
    assert [text for text in about if "replacement" in text] == [f"The replacement for case {number} has been shipped."]


def _state(system: System, number: str) -> str:
    return str(json.loads(system.cli("case", "show", number, "--json").stdout)["case"]["state"])


def test_a_newcomer_sends_an_event_finds_the_case_and_opens_the_spreadsheet(system: System) -> None:
    words = "The app shows error E42 and crashes, I cannot log in"
    system.cli("send", "chat", "--text", words, "--from", "phone:+8613900001234")
    until(lambda: any(case["summary"] == words for case in _board(system)), "the case of the text sent")
    number = next(case["case_number"] for case in _board(system) if case["summary"] == words)

    target = system.data_dir / "demands.xlsx"
    system.cli("export", "demands", "--format", "xlsx", "--output", str(target))

    sheet = openpyxl.load_workbook(target).active
    assert sheet is not None
    header, *rows = sheet.iter_rows(values_only=True)
    assert (header[0], header[5]) == ("Record no.", "Description")
    assert [row[5] for row in rows if row[0] == number] == [f"{words}; error code: E42"]
