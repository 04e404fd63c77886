"""Does the whole loop close on real input, and can it be proven afterwards?"""

import csv
import io
import json

import openpyxl

from tests.support.system import System


def test_the_demo_sees_every_expected_event_and_the_audit_proves_it(system: System) -> None:
    played = system.cli("demo")
    assert "14 of 14 scenarios complete" in played.stdout
    audit = json.loads(system.cli("audit", "--json").stdout)
    assert audit["findings"] == []
    assert json.loads(system.cli("status", "--json").stdout)["healthy"] is True


def test_tables_one_to_three_are_exported(system: System) -> None:
    system.cli("demo", "--scenario", "sample_case")
    demands = list(csv.DictReader(io.StringIO(system.cli("export", "demands", "--format", "csv").stdout)))
    assert any("ERR-500" in " ".join(map(str, row.values())) for row in demands)
    process = json.loads(system.cli("export", "process", "--format", "json").stdout)
    assert any("技术支持确认需修复服务器端bug" in json.dumps(row, ensure_ascii=False) for row in process)
    followups = json.loads(system.cli("export", "followups", "--format", "json").stdout)
    assert followups


def test_a_spreadsheet_opens(system: System) -> None:
    target = system.data_dir / "demands.xlsx"
    system.cli("export", "demands", "--format", "xlsx", "--output", str(target))
    assert openpyxl.load_workbook(target).active is not None


def test_a_newcomer_sends_an_event_and_finds_the_case(system: System) -> None:
    system.cli(
        "send",
        "chat",
        "--text",
        "The app shows error E42 and crashes, I cannot log in",
        "--from",
        "phone:+8613900001234",
    )
    watched = system.cli("case", "list", "--json")
    assert json.loads(watched.stdout) is not None
