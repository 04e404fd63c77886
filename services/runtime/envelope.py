"""Which message do these bytes hold, or what exactly is wrong with them?

CloudEvents 1.0 in Kafka's binary mode; structured mode too on the topics that outsiders write. Nothing a record may
contain makes :func:`opener`'s function raise, and what it says about a record never quotes it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from uuid import UUID

from pydantic import ValidationError

from contracts.message import Message, derived_id
from contracts.registry import MESSAGES, topics_of
from contracts.topics import RECORD_BYTES_MAX, TOPICS
from contracts.values import rfc3339
from services.runtime import json_text
from services.runtime.records import Record
from services.runtime.work import Received

OURS = "caseloop/"
"""Sources of ours begin like this; their ids are derived UUIDs already."""
JSON_TYPE = "application/json"
STRUCTURED_TYPE = "application/cloudevents+json"
ATTRIBUTE_MAX = 255
"""Longest CloudEvents attribute that is taken, in characters."""
ERRORS_MAX = 1000
"""Above this many broken rules no pointer is given: listing them would cost more than reading the record."""
NAMED_MAX = 3
"""How many broken rules the detail names."""

_ATTRIBUTES = frozenset({"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "traceparent", "content-type"})
_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_VERSION = re.compile(r"\.v[0-9]{1,9}$")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a record cannot be read: a code of the interface and a detail without values."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a service needs to know about one type before it touches a value."""

    message: type[Message]
    topics: tuple[str, ...]
    wanted: bool


Opened = Received | Unreadable | None
"""``None``: a known type that the service does not want."""
Opener = Callable[[Record, datetime], Opened]
"""A record, and the moment before which an outsider's event is too old for the duplicate guard."""


class _RefusedError(Exception):
    """Carries the answer out of the depths."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.answer = Unreadable(reason, detail)


def opener(wants: Collection[type[Message]]) -> Opener:
    """Return the function that opens records for a service that wants these types."""
    known = {name: _Known(message, topics_of(message), message in wants) for name, message in MESSAGES.items()}

    def open_record(record: Record, oldest: datetime) -> Opened:
        try:
            return _open(record, oldest, known)
        except _RefusedError as refused:
            return refused.answer

    return open_record


def seal(
    message: Message, *, message_id: UUID, source: str, time: datetime, traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """Return the headers of a message of ours in binary mode."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(message_id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", message.type.encode()),
        ("ce_time", rfc3339(time).encode()),
        ("ce_dataschema", f"urn:caseloop:schema:{message.type}".encode()),
        ("content-type", JSON_TYPE.encode()),
    ]
    subject = message.subject()
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def _open(record: Record, oldest: datetime, known: Mapping[str, _Known]) -> Received | None:
    if record.value is None:
        _refuse("malformed_envelope", "the record has no value")
    if len(record.value) > RECORD_BYTES_MAX:
        _refuse("too_large", f"the value is larger than {RECORD_BYTES_MAX} bytes")
    attributes = _attributes(record)
    value = record.value
    if attributes.get("content-type", JSON_TYPE).startswith(STRUCTURED_TYPE):
        attributes, value = _structured(record.topic, attributes, value)
    elif TOPICS[record.topic].public_door:
        _scan(value)
    for name in _REQUIRED:
        if name not in attributes:
            _refuse("malformed_envelope", f"{name} is missing")
    kind = _known_type(attributes["ce_type"], record.topic, known)
    if not kind.wanted:
        return None
    return _received(record, attributes, _message(kind.message, value, record.topic), oldest)


def _attributes(record: Record) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in record.headers:
        if name not in _ATTRIBUTES:
            continue
        if raw is None or name in found:
            _refuse("malformed_envelope", f"{name} {'has no value' if raw is None else 'stands there twice'}")
        try:
            found[name] = raw.decode()
        except UnicodeDecodeError:
            _refuse("malformed_envelope", f"{name} is not UTF-8")
    content_type = found.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if content_type not in {JSON_TYPE, STRUCTURED_TYPE}:
        _refuse("malformed_envelope", f"content-type is not {JSON_TYPE}")
    return found


def _structured(topic: str, headers: dict[str, str], value: bytes) -> tuple[dict[str, str], bytes]:
    if not TOPICS[topic].public_door:
        _refuse("malformed_envelope", "structured mode is read only where outsiders write")
    try:
        event = json_text.read_strictly(value)
    except json_text.JsonTextError as error:
        _refuse("malformed_json", str(error))
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        _refuse("malformed_envelope", "a structured event is an object with an object as data")
    attributes: dict[str, str] = {}
    for name in ("specversion", "id", "source", "type", "time", "traceparent", "datacontenttype"):
        found = event.get(name)
        if found is not None and not isinstance(found, str):
            _refuse("malformed_envelope", f"{name} is not a string")
        if found is not None:
            attributes[name if name == "traceparent" else f"ce_{name}"] = found
    if attributes.pop("ce_datacontenttype", JSON_TYPE).partition(";")[0].strip().lower() != JSON_TYPE:
        _refuse("malformed_envelope", f"datacontenttype is not {JSON_TYPE}")
    if "traceparent" in headers:
        attributes.setdefault("traceparent", headers["traceparent"])
    return attributes, json_text.write(event["data"])


def _scan(value: bytes) -> None:
    """Refuse what a JSON reader may silently understand in two ways: repeated names, NaN, another encoding."""
    try:
        json_text.read_strictly(value)
    except json_text.JsonTextError as error:
        _refuse("malformed_json", str(error))


def _known_type(name: str, topic: str, known: Mapping[str, _Known]) -> _Known:
    kind = known.get(name)
    if kind is None:
        base = _VERSION.sub("", name)
        relative = base != name and any(_VERSION.sub("", other) == base for other in known)
        _refuse(*("unknown_version", "the type is known, its version is not") if relative else ("unknown_type", "no such type"))
    if topic not in kind.topics:
        _refuse("wrong_topic", f"{name} belongs on {' or '.join(kind.topics)}")
    return kind


def _message(kind: type[Message], value: bytes, topic: str) -> Message:
    try:
        message = kind.read(value)
    except ValidationError as error:
        _refuse(*_what_is_wrong(error))
    if b"\\u0000" in value:
        pointer = json_text.nul_pointer(message.model_dump(mode="json", by_alias=True))
        if pointer is not None:
            _refuse("invalid_data", f"{pointer}: nul_character")
    if message.topic_name() != topic:
        _refuse("wrong_topic", f"the data belongs on {message.topic_name()}")
    return message


def _what_is_wrong(error: ValidationError) -> tuple[str, str]:
    if error.error_count() > ERRORS_MAX:
        return "invalid_data", f"more than {ERRORS_MAX} rules are broken"
    errors = error.errors(include_url=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return "malformed_json", str(errors[0].get("ctx", {}).get("error", "not JSON"))
    named = [f"{_pointer(each['loc'])}: {each['type']}" for each in errors[:NAMED_MAX]]
    return "invalid_data", "; ".join(named)


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return a JSON pointer; names that the sender invented are masked, they may be personal."""
    return "".join(f"/{part if isinstance(part, int) or _FIELD.fullmatch(part) else '*'}" for part in location)


def _received(record: Record, attributes: Mapping[str, str], message: Message, oldest: datetime) -> Received:
    ce_id, source = attributes["ce_id"], attributes["ce_source"]
    if attributes["ce_specversion"] != "1.0":
        _refuse("malformed_envelope", "ce_specversion is not 1.0")
    for name, text in (("ce_id", ce_id), ("ce_source", source)):
        if not text or len(text) > ATTRIBUTE_MAX or _UNPRINTABLE.search(text):
            _refuse("malformed_envelope", f"{name} is not 1 to {ATTRIBUTE_MAX} printable characters")
    time = _time(attributes["ce_time"])
    if time < oldest and TOPICS[record.topic].public_door:
        _refuse("invalid_data", "/ce_time: older_than_the_duplicate_guard")
    trace = attributes.get("traceparent")
    return Received(
        message=message, message_id=_identity(ce_id, source), ce_id=ce_id, source=source, type=message.type, time=time,
        traceparent=trace if trace is not None and _TRACEPARENT.fullmatch(trace) else None,
        topic=record.topic, partition=record.partition, offset=record.offset, key=_key(record, message),
    )


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return _refuse("malformed_envelope", "ce_time is not an RFC 3339 moment with an offset")


def _identity(ce_id: str, source: str) -> UUID:
    if source.startswith(OURS):
        try:
            return UUID(ce_id)
        except ValueError:
            pass
    return derived_id(source, ce_id)


def _key(record: Record, message: Message) -> str:
    if record.key is None:
        return message.key()
    try:
        key = record.key.decode()
    except UnicodeDecodeError:
        return _refuse("malformed_envelope", "the key is not UTF-8")
    if "\0" in key:
        _refuse("malformed_envelope", "the key holds a NUL character")
    return key


def _refuse(reason: str, detail: str) -> NoReturn:
    raise _RefusedError(reason, detail)
