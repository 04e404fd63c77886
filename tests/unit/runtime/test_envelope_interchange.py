"""Do others read what we write, and we what they write: the CloudEvents SDK, structured mode, and nonsense?"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.channel import ConversationEnded, MessageReceived
from contracts.message import derived_id
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


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(GOOD.value()), **fields}).encode()


def test_the_sdk_reads_what_we_write() -> None:
    for message in (example(kind) for kind in MESSAGES.values()):
        headers = envelope.seal(message, message_id=derived_id(1), source="caseloop/router", time=NOW, traceparent=None)
        event = from_binary_event(KafkaMessage(dict(headers), message.key().encode(), message.value()))
        assert (event.get_type(), event.get_source(), event.get_id()) == (
            message.type,
            "caseloop/router",
            str(derived_id(1)),
        )
        assert (event.get_specversion(), event.get_time()) == ("1.0", NOW)
        assert event.get_data() == json.loads(message.value())
        assert event.get_subject() == message.subject()


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_we_read_what_the_sdk_writes(write: Callable[[CloudEvent], KafkaMessage]) -> None:
    for kind in (ConversationEnded, MessageReceived):
        message = example(kind)
        attributes = {
            "type": message.type,
            "source": "gateway/sdk",
            "id": "e-1",
            "time": NOW,
            "specversion": "1.0",
            "datacontenttype": "application/json",
        }
        event = CloudEvent(attributes, json.loads(message.value()))
        written = write(event)
        record = Record(
            message.topic_name(), 0, 0, 0, message.key().encode(), written.value, list(written.headers.items())
        )
        received = OPEN(record, OLDEST)
        assert isinstance(received, Received), received
        assert (received.message, received.ce_id, received.source, received.time) == (
            message,
            "e-1",
            "gateway/sdk",
            NOW,
        )


def structured(**fields: object) -> bytes:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "gateway/test",
        "type": GOOD.type,
        "time": NOW.isoformat(),
        "data": json.loads(GOOD.value()),
    }
    return json.dumps(event | fields).encode()


STRUCTURED: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def test_structured_mode_is_read_at_public_doors_only() -> None:
    received = opened(value=structured(), headers=STRUCTURED)
    assert isinstance(received, Received)
    assert received.message == GOOD
    journal = record_of(progressed(CASE, 1), value=structured(), headers=STRUCTURED)
    answer = OPEN(journal, OLDEST)
    assert isinstance(answer, Unreadable)
    assert answer.reason == "malformed_envelope"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (structured(id=5), "malformed_envelope"),
        (structured(data="x"), "malformed_envelope"),
        (structured(datacontenttype="text/xml"), "malformed_envelope"),
        (structured(time=None), "malformed_envelope"),
        (b"[]", "malformed_envelope"),
        (b"{", "malformed_json"),
        (structured(type="x.v1"), "unknown_type"),
        (structured(id="\ud800"), "malformed_envelope"),
        (structured(data={"a": "\ud800"}), "malformed_json"),
        (structured(data={"conversation_id": "x"}), "invalid_data"),
    ],
)
def test_structured_mode_refuses_for_the_same_reasons(value: bytes, reason: str) -> None:
    assert refused(value=value, headers=STRUCTURED)[0] == reason


NAMES = st.sampled_from([*(name for name, _ in headers_of(GOOD)), "traceparent", "x"])
HEADERS = st.lists(
    st.tuples(NAMES, st.none() | st.binary(max_size=40) | st.sampled_from([v for _, v in headers_of(GOOD)]))
)


@given(headers=HEADERS, value=st.none() | st.binary(max_size=200), key=st.none() | st.binary(max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_record_makes_reading_fail(headers: list[Any], value: bytes | None, key: bytes | None) -> None:
    for all_headers in (headers, headers_of(GOOD), STRUCTURED):
        OPEN(Record("channel.chat", 0, 0, -1, key, value, all_headers), OLDEST)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(list(json.loads(GOOD.value()))), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(fields=st.dictionaries(st.sampled_from(list(json.loads(GOOD.value()))), JSONS))
@settings(max_examples=300, deadline=None)
def test_no_json_makes_reading_fail_and_no_reason_quotes_it(fields: dict[str, Any]) -> None:
    quoted = "geheim-4711"
    answer = opened(value=changed(**{**fields, "conversation_id": [quoted]}))
    assert isinstance(answer, Unreadable)
    assert quoted not in answer.detail
