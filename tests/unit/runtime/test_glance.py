"""Does a glance at a record of ours say what a closer look says, and leave to it whatever is in doubt?"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.message import Message, derived_id
from contracts.registry import MESSAGES
from services.runtime import envelope
from services.runtime.glance import glance
from services.runtime.reading import part_of
from services.runtime.records import Record
from services.runtime.refusal import Unreadable
from services.runtime.work import Received
from tests.support.floor import NOW
from tests.support.tiny import progressed

OLDEST = NOW - timedelta(days=90)
CASE = derived_id("a case")
OURS = derived_id("ours")
TRACE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
EVENT = progressed(CASE, 1)
OPEN = envelope.opener(tuple(MESSAGES.values()), {type(EVENT): part_of(type(EVENT), ("case_id",))})
SEALED: dict[str, bytes | None] = dict(
    envelope.seal(EVENT, message_id=OURS, source="caseloop/router", time=NOW, traceparent=TRACE.decode())
)
ODD: dict[str, list[bytes | None]] = {
    "ce_specversion": [None, b"0.3", b""],
    "content-type": [None, b"application/json; charset=utf-8", b"text/plain", b"application/cloudevents+json"],
    "ce_id": [
        None,
        b"",
        b"c-1",
        b"\xff" * 36,
        str(OURS).upper().encode(),
        b"{" + OURS.hex.encode() + b"}",
        b"urn:" + OURS.hex.encode(),
        b"\n" + OURS.hex.encode()[1:] + b"----",
        b"{{{" + str(OURS).encode() + b"}}}",
        b"{" * 300 + str(OURS).encode(),
        "\u0661".encode() + str(OURS).encode()[1:],
    ],
    "ce_source": [None, b"", b"gateway/wecom", b"caseloop/a\x7f", b"caseloop/\xff", b"caseloop/" + b"x" * 300],
    "ce_time": [None, b"yesterday", b"2026-11-02T09:30:00", b"2026-11-02T17:30:00+08:00", b"2026-11-02T09:30:00-00:00"],
    "traceparent": [None, b"\xff", b"00-" + b"0" * 32 + b"-" + b"b" * 16 + b"-01", TRACE + b"-x", TRACE.upper()],
    "ce_type": [None, b"caseloop.case.progressed.v9", b"caseloop.command.resolve.v1"],
}
KEYS = [str(CASE).encode(), None, b"\xff", b"a\0b", b""]
VALUES = [EVENT.value(), progressed(CASE, 1).model_copy(update={"step": "a\0b"}).value(), b"{", b"x" * 1_048_577, None]
CHANGES = st.one_of([
    st.just(None),
    st.sampled_from(sorted(ODD)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(ODD[name]))),
    st.tuples(st.sampled_from(sorted(SEALED)), st.just("gone")),
    st.tuples(st.sampled_from(sorted(SEALED)), st.just("twice")),
])  # fmt: skip


def changed(change: tuple[str, bytes | str | None] | None) -> list[tuple[str, bytes | None]]:
    headers = list(SEALED.items())
    if change is None:
        return headers
    name, value = change
    if value == "twice":
        return [*headers, (name, SEALED[name])]
    others = [header for header in headers if header[0] != name]
    return others if isinstance(value, str) else [*others, (name, value)]


def answers(headers: list[tuple[str, bytes | None]], key: bytes | None, value: bytes | None) -> list[envelope.Opened]:
    """Return what is said at a glance, and with a header twice that nobody reads: it takes a closer look."""
    doubled = [*headers, ("x", b""), ("x", b"")]
    return [OPEN(Record("case.events", 0, 7, 0, key, value, each), OLDEST) for each in (headers, doubled)]


@given(CHANGES, st.sampled_from(KEYS), st.sampled_from(VALUES))
def test_a_glance_says_what_a_closer_look_says(
    change: tuple[str, bytes | str | None] | None, key: bytes | None, value: bytes | None
) -> None:
    at_a_glance, closer = answers(changed(change), key, value)
    assert at_a_glance == closer


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_whatever_is_odd_in_a_header_is_looked_at_closely(name: str, value: bytes | None) -> None:
    at_a_glance, closer = answers(changed((name, value)), KEYS[0], VALUES[0])
    assert at_a_glance == closer


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES)
def test_whatever_is_odd_in_key_or_value_is_looked_at_closely(key: bytes | None, value: bytes | None) -> None:
    at_a_glance, closer = answers(changed(None), key, value)
    assert at_a_glance == closer


def test_a_record_of_ours_is_read_at_a_glance() -> None:
    seen = glance(SEALED, b"key")
    assert seen is not None
    assert (seen.message_id, seen.time, seen.traceparent, seen.key) == (OURS, NOW, TRACE.decode(), "key")
    opened = answers(changed(None), KEYS[0], VALUES[0])[0]
    assert isinstance(opened, Received)
    assert isinstance(opened.message, Message)
    assert opened.message.key() == str(CASE)
    assert (opened.ce_id, opened.source, opened.offset) == (str(OURS), "caseloop/router", 7)


@pytest.mark.parametrize("name", sorted(SEALED.keys() - {"ce_subject", "ce_dataschema"}))
def test_a_header_that_stands_there_twice_is_refused(name: str) -> None:
    refused = answers(changed((name, "twice")), KEYS[0], VALUES[0])
    assert refused == [Unreadable("malformed_envelope", f"{name} stands there twice")] * 2


def test_a_type_that_stands_there_twice_is_not_passed_over_for_the_second() -> None:
    wants_none = envelope.opener(())
    others = [header for header in SEALED.items() if header[0] != "ce_type"]
    types = [("ce_type", b"caseloop.case.closed.v1"), ("ce_type", SEALED["ce_type"])]
    opened = [
        wants_none(Record("case.events", 0, 7, 0, KEYS[0], VALUES[0], [*others, *some]), OLDEST)
        for some in (types, types[1:])
    ]
    assert opened == [Unreadable("malformed_envelope", "ce_type stands there twice"), None]
