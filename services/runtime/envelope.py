"""Which message do these bytes hold, or what exactly is wrong with them?

CloudEvents 1.0 in Kafka's binary mode; structured mode too on the topics that outsiders write. Nothing a record may
contain makes :func:`opener`'s function raise, and what it says about a record never quotes it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from uuid import UUID

from pydantic import ValidationError

from contracts.message import Message, derived_id, schema_uri
from contracts.registry import MESSAGES, topics_of
from contracts.topics import RECORD_BYTES_MAX, TOPICS
from contracts.values import rfc3339
from services.runtime import json_text
from services.runtime.endings import Reason
from services.runtime.glance import OURS, TRACEPARENT, Seen, glance
from services.runtime.records import Record
from services.runtime.refusal import RefusedError, Unreadable, refuse
from services.runtime.structured import JSON_TYPE, read_json, unwrap
from services.runtime.work import Received

STRUCTURED_TYPE = "application/cloudevents+json"
ATTRIBUTE_MAX = 255
"""Longest CloudEvents attribute that is taken, in characters."""
ERRORS_MAX = 1000
"""Above this many broken rules no pointer is given: listing them would cost more than reading the record."""
NAMED_MAX = 3
"""How many broken rules the detail names."""

_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", JSON_TYPE.encode())
_ATTRIBUTES = frozenset({"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "traceparent", "content-type"})
_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")
_PUBLIC_DOORS = frozenset(topic.name for topic in TOPICS.values() if topic.public_door)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_VERSION = re.compile(r"\.v[0-9]{1,9}$")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NUL = b"\\u0000"


@dataclass(frozen=True, slots=True)
class _Known:
    """What a service needs to know about one type before it touches a value."""

    message: type[Message]
    topics: tuple[str, ...]
    wanted: bool
    read_as: type[Message]
    """The message, or what the service reads of it."""


Opened = Received | Unreadable | None
"""``None``: a known type that the service does not want."""
Opener = Callable[[Record, datetime], Opened]
"""A record, and the moment before which an outsider's event is too old for the duplicate guard."""


def opener(
    wants: Collection[type[Message]],
    reads: Mapping[type[Message], type[Message]] = MappingProxyType({}),
) -> Opener:
    """Return the function that opens records for a service that wants these types, and reads some of them in part."""
    known = {
        name: _Known(message, topics_of(message), message in wants, reads.get(message, message))
        for name, message in MESSAGES.items()
    }
    ours = _ours(known)

    def open_record(record: Record, oldest: datetime) -> Opened:
        headers = dict(record.headers)
        kind = ours.get((record.topic, headers.get("ce_type")))
        try:
            if kind is None or record.value is None:
                return _open(record, oldest, known)
            if not kind.wanted and len(headers) == len(record.headers):
                return None
            return _plainly(record, record.value, headers, kind) or _open(record, oldest, known)
        except RefusedError as refused:
            return refused.answer

    return open_record


def _ours(known: Mapping[str, _Known]) -> Mapping[tuple[str, bytes | None], _Known]:
    """Return by topic and type what only we write: a glance at it is enough, also to pass over what is not wanted.

    That is a third of all that the services read; reading its other headers cost a twentieth of the router's time.
    """
    return {
        (topic, name.encode()): kind
        for name, kind in known.items()
        for topic in kind.topics
        if topic not in _PUBLIC_DOORS
    }


def _plainly(record: Record, value: bytes, headers: Mapping[str, bytes | None], kind: _Known) -> Received | None:
    """Return what a record of ours holds that is nothing but what we seal; ``None``: look closer."""
    if len(headers) != len(record.headers) or len(value) > RECORD_BYTES_MAX or record.key is None or _NUL in value:
        return None
    seen = glance(headers, record.key)
    return None if seen is None else _received(record, seen, _message(kind.read_as, value, record.topic), value)


def seal(
    message: Message,
    *,
    message_id: UUID | str,
    source: str,
    time: datetime,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """Return the headers of a message of ours in binary mode."""
    kind, schema = _names_of(message.type)
    headers = [
        _SPECVERSION,
        ("ce_id", str(message_id).encode()),
        ("ce_source", source.encode()),
        kind,
        ("ce_time", rfc3339(time).encode()),
        schema,
        _CONTENT_TYPE,
    ]
    subject = message.subject()
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


@cache
def _names_of(type_name: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """Return the headers that every message of a type has, made once."""
    return ("ce_type", type_name.encode()), ("ce_dataschema", schema_uri(type_name).encode())


def _open(record: Record, oldest: datetime, known: Mapping[str, _Known]) -> Received | None:
    if record.value is None:
        refuse("malformed_envelope", "the record has no value")
    if len(record.value) > RECORD_BYTES_MAX:
        refuse("too_large", f"the value is larger than {RECORD_BYTES_MAX} bytes")
    attributes = _attributes(record)
    value = record.value
    if attributes.get("content-type", JSON_TYPE).startswith(STRUCTURED_TYPE):
        if record.topic not in _PUBLIC_DOORS:
            refuse("malformed_envelope", "structured mode is read only where outsiders write")
        attributes, value = unwrap(value)
    elif record.topic in _PUBLIC_DOORS:
        read_json(value)
    _complete(attributes)
    kind = _known_type(attributes["ce_type"], record.topic, known)
    if not kind.wanted:
        return None
    message = _message(kind.message if _NUL in value else kind.read_as, value, record.topic)
    return _received(record, _seen(record, attributes, message, oldest), message, value)


def _complete(attributes: Mapping[str, str]) -> None:
    for name in _REQUIRED:
        if name not in attributes:
            refuse("malformed_envelope", f"{name} is missing")


def _attributes(record: Record) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in record.headers:
        if name not in _ATTRIBUTES:
            continue
        if raw is None or name in found:
            refuse("malformed_envelope", f"{name} {'has no value' if raw is None else 'stands there twice'}")
        try:
            found[name] = raw.decode()
        except UnicodeDecodeError:
            refuse("malformed_envelope", f"{name} is not UTF-8")
    content_type = found.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if content_type not in {JSON_TYPE, STRUCTURED_TYPE}:
        refuse("malformed_envelope", f"content-type is not {JSON_TYPE}")
    return found


def _known_type(name: str, topic: str, known: Mapping[str, _Known]) -> _Known:
    kind = known.get(name)
    if kind is None:
        base = _VERSION.sub("", name)
        relative = base != name and any(_VERSION.sub("", other) == base for other in known)
        refuse("unknown_version" if relative else "unknown_type", "see the contracts for what can be read here")
    if topic not in kind.topics:
        refuse("wrong_topic", f"{name} belongs on {' or '.join(kind.topics)}")
    return kind


def _message(kind: type[Message], value: bytes, topic: str) -> Message:
    try:
        message = kind.read(value)
    except ValidationError as error:
        refuse(*_what_is_wrong(error))
    if _NUL in value:
        pointer = json_text.nul_pointer(message.model_dump(mode="json", by_alias=True))
        if pointer is not None:
            refuse("invalid_data", f"{pointer}: nul_character")
    if message.topic_name() != topic:
        refuse("wrong_topic", f"the data belongs on {message.topic_name()}")
    return message


def _what_is_wrong(error: ValidationError) -> tuple[Reason, str]:
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


def _seen(record: Record, attributes: Mapping[str, str], message: Message, oldest: datetime) -> Seen:
    """Return what stands on a record, after a closer look."""
    ce_id, source = attributes["ce_id"], attributes["ce_source"]
    if attributes["ce_specversion"] != "1.0":
        refuse("malformed_envelope", "ce_specversion is not 1.0")
    if not _is_name(ce_id) or not _is_source(source):
        name = "ce_source" if _is_name(ce_id) else "ce_id"
        refuse("malformed_envelope", f"{name} is not 1 to {ATTRIBUTE_MAX} printable characters")
    time = _time(attributes["ce_time"])
    if time < oldest and record.topic in _PUBLIC_DOORS:
        refuse("invalid_data", "/ce_time: older_than_the_duplicate_guard")
    trace = attributes.get("traceparent")
    known = trace if trace is not None and TRACEPARENT.fullmatch(trace) else None
    return Seen(_identity(ce_id, source), ce_id, source, time, known, _key(record, message))


def _received(record: Record, seen: Seen, message: Message, value: bytes) -> Received:
    message_id, ce_id, source, time, trace, key = seen
    place = record.topic, record.partition, record.offset
    return Received(message, message_id, ce_id, source, message.type, time, trace, *place, key, value)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= ATTRIBUTE_MAX and not _UNPRINTABLE.search(text)


_is_source = lru_cache(maxsize=256)(_is_name)
"""Whether this is a source: few there are, and each stands on many records."""


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC:
            return moment
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return refuse("malformed_envelope", "ce_time is not an RFC 3339 moment with an offset")


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
        return refuse("malformed_envelope", "the key is not UTF-8")
    if "\0" in key:
        refuse("malformed_envelope", "the key holds a NUL character")
    return key
