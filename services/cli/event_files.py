"""Which channel events stand in a file, and which line of it is wrong?"""

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from contracts.channel import ChannelMessage, EmailReceived
from contracts.message import Message
from contracts.registry import MESSAGES
from contracts.values import Channel
from services.cli.failures import bad_input
from services.cli.publishing import SOURCE, Event, new_id
from services.cli.typing_in import read

_PREFIX = "caseloop.channel."
_KINDS = ("phone", "email", "member", "order", "social")


def events_of_file(channel: Channel, path: Path, now: datetime, event_id: str | None) -> list[Event]:
    """Return the events of an ``.eml`` or ``.jsonl`` file, all of them right; ``CommandError`` names line and field.

    A line is a CloudEvent (``type``, ``data``, and perhaps ``id``, ``source``, ``time``); ``type`` may be short,
    such as ``message_received``, and the data need not repeat the channel.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise bad_input(f"{path}: cannot be read ({problem.strerror})") from None
    if path.suffix == ".jsonl":
        lines = content.splitlines()
        return [_event(channel, line, f"{path}:{number}", now) for number, line in enumerate(lines, 1) if line.strip()]
    if channel != "email":
        raise bad_input(f"{path}: {channel} events come from a .jsonl file; only e-mail has files of its own")
    data = {"channel": "email", "raw_base64": base64.b64encode(content).decode()}
    return [Event(read(EmailReceived, data, str(path)), event_id or new_id(), now)]


def parties(words: Sequence[str]) -> list[dict[str, str]]:
    """Return the parties named by ``kind:value``; ``CommandError`` names the wrong one."""
    found = []
    for word in words:
        kind, colon, value = word.partition(":")
        if not colon or not value or kind not in _KINDS:
            raise bad_input(f"--from {word!r}: write kind:value with a kind of {', '.join(_KINDS)}")
        found.append({"kind": kind, "value": value})
    return found


def _event(channel: Channel, line: bytes, origin: str, now: datetime) -> Event:
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        raise bad_input(f"{origin}: not JSON: {problem}") from None
    if not isinstance(given, dict) or not isinstance(given.get("data"), dict):
        raise bad_input(f"{origin}: field data: a line is an object with type and data")
    kind = _kind(given.get("type"), origin)
    message = read(kind, {"channel": channel, **given["data"]}, origin)
    if message.topic_name() != f"channel.{channel}":
        raise bad_input(
            f"{origin}: field channel: this event belongs on {message.topic_name()}, not on channel.{channel}"
        )
    return Event(message, _text(given, "id", origin) or new_id(), _time(given, origin, now), _source(given, origin))


def _kind(named: Any, origin: str) -> type[Message]:  # noqa: ANN401 - any JSON
    kind = MESSAGES.get(str(named)) or MESSAGES.get(f"{_PREFIX}{named}.v1")
    if kind is None or not issubclass(kind, ChannelMessage):
        known = [name.removeprefix(_PREFIX).removesuffix(".v1") for name in MESSAGES if name.startswith(_PREFIX)]
        raise bad_input(f"{origin}: field type: no such channel event; types are {', '.join(known)}")
    return kind


def _source(given: dict[str, Any], origin: str) -> str:
    return _text(given, "source", origin) or SOURCE


def _text(given: dict[str, Any], field: str, origin: str) -> str | None:
    value = given.get(field)
    if value is not None and (not isinstance(value, str) or not value):
        raise bad_input(f"{origin}: field {field}: a text is wanted")
    return value


def _time(given: dict[str, Any], origin: str, now: datetime) -> datetime:
    text = _text(given, "time", origin)
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise bad_input(f"{origin}: field time: write RFC 3339 with an offset, such as 2026-11-02T09:30:00Z")
    return moment
