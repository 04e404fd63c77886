"""Does every record get read rightly, or refused for the right reason without a word of its content?"""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.channel import MessageReceived
from contracts.message import Message, derived_id
from contracts.registry import MESSAGES
from services.runtime import envelope
from services.runtime.records import Record
from services.runtime.refusal import Unreadable
from services.runtime.work import Received
from tests.support.examples import example
from tests.support.floor import NOW
from tests.support.tiny import ended, headers_of, progressed, record_of

OPEN = envelope.opener(tuple(MESSAGES.values()))
OLDEST = NOW - timedelta(days=90)
CASE = derived_id("a case")
GOOD = ended("c-1", 7)


def opened(**changed: object) -> envelope.Opened:
    return OPEN(record_of(GOOD, **changed), OLDEST)  # type: ignore[arg-type]  # what a test changes


def refused(**changed: object) -> tuple[str, str]:
    answer = opened(**changed)
    assert isinstance(answer, Unreadable), answer
    return answer.reason, answer.detail


def test_a_good_record_is_read_with_its_envelope() -> None:
    trace = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    received = opened(headers=headers_of(GOOD, traceparent=trace))

    assert isinstance(received, Received)
    assert received.message == GOOD
    assert received.message_id == derived_id("gateway/test", received.ce_id)
    assert (received.topic, received.partition, received.offset, received.key) == ("channel.chat", 0, 0, "c-1")
    assert (received.time, received.traceparent) == (NOW, trace.decode())
    assert received.cause.id == received.ce_id


def test_an_id_of_ours_is_taken_as_it_is() -> None:
    ours = derived_id("ours")
    received = opened(headers=headers_of(GOOD, ce_id=str(ours).encode(), ce_source=b"caseloop/desk"))
    assert isinstance(received, Received)
    assert received.message_id == ours == UUID(received.ce_id)


def test_an_unwanted_type_is_skipped_without_touching_the_value() -> None:
    skipping = envelope.opener((MessageReceived,))
    assert skipping(record_of(progressed(CASE, 1), value=b"not json"), OLDEST) is None


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"])
def test_a_missing_attribute_is_a_malformed_envelope(name: str) -> None:
    headers = [(each, value) for each, value in headers_of(GOOD) if each != name]
    assert refused(headers=headers) == ("malformed_envelope", f"{name} is missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b""),
        ("ce_id", b"x" * 256),
        ("ce_id", b"a\x00b"),
        ("ce_id", b"\xff"),
        ("ce_source", b""),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-11-02T09:30:00"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("content_type", b"text/plain"),
        ("content_type", b"\xfe"),
        ("content_type", b"application/cloudevents-batch+json"),
    ],
)
def test_a_wrong_attribute_is_a_malformed_envelope(name: str, value: bytes) -> None:
    assert refused(headers=headers_of(GOOD, **{name: value}))[0] == "malformed_envelope"


def test_a_header_without_a_value_or_twice_is_a_malformed_envelope() -> None:
    assert refused(headers=[*headers_of(GOOD), ("ce_id", b"again")])[0] == "malformed_envelope"
    headers = [(name, None if name == "ce_id" else value) for name, value in headers_of(GOOD)]
    assert refused(headers=headers) == ("malformed_envelope", "ce_id has no value")


def test_foreign_headers_may_be_anything() -> None:
    assert isinstance(opened(headers=[*headers_of(GOOD), ("x", None), ("y", b"\xff"), ("y", b"")]), Received)


def test_no_value_is_a_malformed_envelope() -> None:
    record = record_of(GOOD)
    empty = Record(record.topic, 0, 0, 0, record.key, None, record.headers)
    assert OPEN(empty, OLDEST) == Unreadable("malformed_envelope", "the record has no value")


def test_a_key_that_is_no_text_is_a_malformed_envelope() -> None:
    record = record_of(GOOD)
    for key in (b"\xff", b"a\x00b"):
        answer = OPEN(Record(record.topic, 0, 0, 0, key, record.value, record.headers), OLDEST)
        assert isinstance(answer, Unreadable)
        assert answer.reason == "malformed_envelope"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 1000 + b"]" * 1000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"n": ' + b"9" * 100_000 + b"}",
        '{"a": "x"}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}',
    ],
)
def test_what_is_not_one_unambiguous_json_is_malformed_json(value: bytes) -> None:
    assert refused(value=value)[0] == "malformed_json"


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(GOOD.value()), **fields}).encode()


def test_a_lone_surrogate_is_malformed_json() -> None:
    assert refused(value=changed(conversation_id="\ud800"))[0] == "malformed_json"


def test_a_repeated_name_deep_inside_is_malformed_json() -> None:
    value = GOOD.value()[:-1] + b', "extra": [{"b": {"x": 1, "x": 2}}]}'
    assert refused(value=value) == ("malformed_json", "a name stands twice in one object")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"duration_seconds": "7"}, "/duration_seconds: int_type"),
        ({"duration_seconds": -1}, "/duration_seconds: greater_than_equal"),
        ({"duration_seconds": 10**30, "ended_by": "x"}, "/ended_by: literal_error"),
        ({"conversation_id": "geheim\u0000"}, "/conversation_id: nul_character"),
        ({"conversation_id": "x" * 256}, "/conversation_id: string_too_long"),
    ],
)
def test_invalid_data_names_pointer_and_rule(fields: dict[str, Any], detail: str) -> None:
    assert refused(value=changed(**fields)) == ("invalid_data", detail)


def test_a_name_that_the_sender_invented_is_not_repeated() -> None:
    message = example(MESSAGES["caseloop.command.record_facts.v1"])
    value = {**json.loads(message.value()), "facts": {"+86 138 0000 5678": 5}}
    answer = OPEN(record_of_any(message, json.dumps(value).encode()), OLDEST)
    assert isinstance(answer, Unreadable)
    assert answer.reason == "invalid_data"
    assert "138" not in answer.detail


def record_of_any(message: Message, value: bytes) -> Record:
    headers = envelope.seal(message, message_id=derived_id(1), source="gateway/test", time=NOW, traceparent=None)
    return Record(message.topic_name(), 0, 0, 0, message.key().encode(), value, headers)


def test_many_broken_rules_are_counted_and_not_listed() -> None:
    message = example(MessageReceived)
    value = {**json.loads(message.value()), "attachments": [0] * 300_000}
    answer = OPEN(record_of_any(message, json.dumps(value).encode()), OLDEST)
    assert answer == Unreadable("invalid_data", "more than 1000 rules are broken")


def test_a_value_that_is_too_large_is_refused_before_it_is_read() -> None:
    assert refused(value=b"x" * 1_048_577)[0] == "too_large"


def test_types_that_are_not_known_and_versions_that_are_not_known_differ() -> None:
    assert refused(headers=headers_of(GOOD, ce_type=b"caseloop.channel.nonsense.v1"))[0] == "unknown_type"
    assert refused(headers=headers_of(GOOD, ce_type=b"caseloop.channel.conversation_ended.v9"))[0] == "unknown_version"
    assert refused(headers=headers_of(GOOD, ce_type=b"nonsense"))[0] == "unknown_type"


def test_a_type_or_a_channel_of_another_topic_is_a_wrong_topic() -> None:
    assert refused(headers=headers_of(GOOD, ce_type=b"caseloop.case.progressed.v1"))[0] == "wrong_topic"
    assert refused(value=changed(channel="sms")) == ("wrong_topic", "the data belongs on channel.sms")


def test_an_event_older_than_the_duplicate_guard_is_refused_where_outsiders_write() -> None:
    late = (OLDEST - timedelta(seconds=1)).isoformat().encode()
    assert refused(headers=headers_of(GOOD, ce_time=late)) == (
        "invalid_data",
        "/ce_time: older_than_the_duplicate_guard",
    )
    journal = progressed(CASE, 1)
    assert isinstance(OPEN(record_of(journal, headers=headers_of(journal, ce_time=late)), OLDEST), Received)


def test_unknown_fields_are_ignored() -> None:
    received = opened(value=changed(later="a field of a newer gateway"))
    assert isinstance(received, Received)
    assert received.message == GOOD


class _Part(Message, type=type(progressed(CASE, 1)).type):
    topic = "case.events"
    key_field = "case_id"
    case_id: UUID


def test_a_service_may_read_a_part_and_has_the_whole_as_bytes() -> None:
    record = record_of(progressed(CASE, 1))
    reading = envelope.opener((type(progressed(CASE, 1)),), {type(progressed(CASE, 1)): _Part})
    received = reading(record, OLDEST)
    assert isinstance(received, Received)
    assert (received.message, received.value, received.type) == (_Part(case_id=CASE), record.value, _Part.type)


def test_a_nul_is_found_also_where_nobody_reads() -> None:
    record = record_of(progressed(CASE, 1).model_copy(update={"step": "a\0b"}))
    refusal = envelope.opener((type(progressed(CASE, 1)),), {type(progressed(CASE, 1)): _Part})(record, OLDEST)
    assert isinstance(refusal, Unreadable)
    assert refusal.detail == "/step: nul_character"
