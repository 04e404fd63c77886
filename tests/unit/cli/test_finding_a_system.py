"""Does a command find the system that is meant, and say so in one line when there is none?"""

import asyncio
import os
from pathlib import Path

import pytest
from cyclopts import App

from services.cli import __main__, state
from services.cli.__main__ import status_of
from services.cli.connection import Where, find, find_desk
from services.cli.failures import CommandError, bad_input
from services.cli.state import Running, running
from services.runtime import configuration

KAFKA, POSTGRES = "127.0.0.1:9092", "postgresql://u@h:5432/d"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "ENVIRONMENT", {})


def _up(folder: Path, **others: object) -> Running:
    known = {
        "pid": os.getpid(),
        "began": state.began(os.getpid()),
        "kafka": KAFKA,
        "postgres": POSTGRES,
        "http": {"desk": "http://127.0.0.1:1"},
        "pids": {"desk": 7},
        "providers": {"sms": "http://127.0.0.1:2"},
        "policy": "/p.toml",
    }
    up = Running.model_validate({**known, **others})
    state.write(folder, up)
    return up


def test_a_running_up_is_found(tmp_path: Path) -> None:
    up = _up(tmp_path)

    found = find(Where(data_dir=tmp_path))

    assert running(tmp_path) == up
    assert (found.kafka, found.postgres, found.sms) == (KAFKA, POSTGRES, "http://127.0.0.1:2")
    assert find_desk(Where(data_dir=tmp_path)) == "http://127.0.0.1:1"
    assert (tmp_path / "up.json").stat().st_mode & 0o077 == 0


def test_what_a_killed_up_left_behind_does_not_count(tmp_path: Path) -> None:
    _up(tmp_path, began=1.0)

    assert running(tmp_path) is None
    with pytest.raises(CommandError, match="nothing runs in"):
        find(Where(data_dir=tmp_path))


def test_what_is_typed_wins_over_settings_and_settings_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _up(tmp_path)
    monkeypatch.setattr(
        configuration, "ENVIRONMENT", {"CASELOOP_KAFKA_BOOTSTRAP": "set:1", "CASELOOP_POSTGRES_DSN": POSTGRES}
    )

    assert find(Where(data_dir=tmp_path)).kafka == "set:1"
    typed = find(Where(kafka="typed:1", data_dir=tmp_path))
    assert typed.kafka == "typed:1"
    assert typed.http == {}, "the pages of another system are not this system's"


def test_half_a_system_is_no_system(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--postgres"):
        find(Where(kafka=KAFKA, data_dir=tmp_path))


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["status"], 1, "nothing runs in"),
        (["case", "list"], 1, "nothing runs in"),
        (["watch", "--case", "C00000-00000-11"], 2, "neither an id nor a valid case number"),
        (["send", "chat"], 2, "give either --text, or a file"),
        (["send", "fax", "--text", "x"], 2, "fax"),
        (["send", "email", "--text", "x"], 2, "an e-mail is sent as a file"),
        (["send", "chat", "--text", "x", "--from", "fax:1"], 2, "kind:value"),
        (["command", "dance", "--case", "x"], 2, "no command dance; commands are accept_offer"),
        (["command", "resolve", "--case", "x", "resolution=y"], 2, "neither an id nor a valid case number"),
        (["parked", "show", "17"], 2, "service:number"),
        (["parked", "discard", "intake:1", "--reason", " "], 2, "say why"),
        (["parked", "retry"], 2, "name parked records"),
        (["up", "--services", "intake,kitchen"], 2, "no service kitchen"),
        (["demo", "--kafka", "127.0.0.1:1", "--postgres", POSTGRES], 1, "out of reach (KafkaConnectionError: Unable"),
        (["demo", "--scenario", "nosuch"], 2, "no scenario nosuch: there are sample_case, "),
        (["policy", "check", "nowhere.toml"], 2, "nowhere.toml"),
        (["audit", "--since", "soon", "--kafka", KAFKA, "--postgres", POSTGRES], 2, "--since 'soon'"),
        (["frobnicate"], 2, "frobnicate"),
        (["export", "secrets"], 2, "secrets"),
    ],
)
def test_every_failure_is_one_line(
    words: list[str],
    status: int,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert status_of(words) == status

    told = capsys.readouterr()
    assert line in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


@pytest.mark.parametrize(
    ("failure", "status", "line"),
    [
        (bad_input("no such dish"), 2, "caseloop: no such dish\n"),
        (ConnectionRefusedError("Kafka"), 1, "caseloop: a server is out of reach (ConnectionRefusedError: Kafka)"),
    ],
)
def test_a_failure_among_tasks_that_ran_side_by_side_is_one_line_too(
    failure: Exception, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cook() -> None:
        async with asyncio.TaskGroup() as house:
            house.create_task(asyncio.Event().wait())
            async with asyncio.TaskGroup() as kitchen:
                kitchen.create_task(asyncio.Event().wait())
                raise failure

    kitchen = App(name="caseloop")
    kitchen.command(cook)
    monkeypatch.setattr(__main__, "app", kitchen)

    assert status_of(["cook"]) == status

    told = capsys.readouterr()
    assert told.err.startswith(line)
    assert told.err.count("\n") == 1


def test_a_broken_pack_is_named_with_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "pack.toml"
    pack.write_text('name = "x"\nversion = "1"\ncolour = "red"\n', encoding="utf-8")

    assert status_of(["policy", "check", str(pack)]) == 2

    told = capsys.readouterr().err
    assert f"{pack}:" in told
    assert told.count("\n") == 1


def test_the_shipped_pack_is_right_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["policy", "show"]) == 0
    assert "name = 'standard'" in capsys.readouterr().out
    assert status_of(["policy", "show", "--json"]) == 0
    assert capsys.readouterr().out.startswith('{"')
