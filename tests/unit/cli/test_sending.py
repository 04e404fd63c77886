"""Is every line of a file checked before anything is sent, and is the wrong one named?"""

import base64
from pathlib import Path

import orjson
import pytest

from contracts.channel import EmailReceived, MessageReceived
from services.cli.event_files import events_of_file, parties
from services.cli.failures import BAD_INPUT, CommandError
from tests.support.examples import MOMENT

DATA = {"conversation_id": "c", "message_id": "m", "author": "customer", "text": "hello"}
GOOD = {"type": "message_received", "data": DATA}


def _file(folder: Path, *lines: object) -> Path:
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines))
    return path


def test_lines_become_events_of_the_channel(tmp_path: Path) -> None:
    whole = {
        **GOOD,
        "type": MessageReceived.type,
        "id": "e-1",
        "source": "gateway",
        "time": "2026-11-02T10:30:00+01:00",
    }

    first, second = events_of_file("chat", _file(tmp_path, GOOD, b"", whole), MOMENT, None)

    assert (first.message.topic_name(), first.time) == ("channel.chat", MOMENT)
    assert (second.id, second.source, second.time) == ("e-1", "gateway", MOMENT)
    assert dict(second.headers())["ce_time"] == b"2026-11-02T09:30:00Z"


def test_an_email_is_sent_as_it_was_received(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(b"From: a@example.org\r\n\r\n\xff\x00")

    (event,) = events_of_file("email", path, MOMENT, "e-2")

    assert isinstance(event.message, EmailReceived)
    assert base64.b64decode(event.message.raw_base64) == path.read_bytes()
    assert event.id == "e-2"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{no json", "events.jsonl:2: not JSON"),
        ([1], "events.jsonl:2: field data"),
        ({**GOOD, "type": "case_opened"}, "events.jsonl:2: field type: no such channel event"),
        ({**GOOD, "type": ["x"]}, "events.jsonl:2: field type"),
        ({**GOOD, "data": {**DATA, "author": "robot"}}, "events.jsonl:2: field author"),
        ({**GOOD, "data": {"channel": "sms", **DATA}}, "events.jsonl:2: field channel"),
        ({**GOOD, "time": "yesterday"}, "events.jsonl:2: field time"),
        ({**GOOD, "time": "2026-11-02T09:30:00"}, "events.jsonl:2: field time"),
        ({**GOOD, "id": 7}, "events.jsonl:2: field id"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: object, problem: str) -> None:
    with pytest.raises(CommandError) as failure:
        events_of_file("chat", _file(tmp_path, GOOD, line), MOMENT, None)

    assert problem in str(failure.value)
    assert failure.value.exit_code == BAD_INPUT


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        events_of_file("chat", tmp_path / "none.jsonl", MOMENT, None)
    with pytest.raises(CommandError, match="only e-mail has files"):
        events_of_file("chat", Path(__file__), MOMENT, None)


def test_parties_are_kind_and_value() -> None:
    assert parties(["phone:+86138", "social:wx:1"]) == [
        {"kind": "phone", "value": "+86138"},
        {"kind": "social", "value": "wx:1"},
    ]
    with pytest.raises(CommandError, match="kind:value"):
        parties(["fax:1"])
