"""Are the generated files what the registry says, and do they say what personal data is?"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

import contracts.generate
from contracts.channel import DeliveryReported
from contracts.message import Message
from contracts.registry import MESSAGES, topics_of
from contracts.router import CaseEvent, CaseProgressed, seal, verify_hash
from contracts.schemas import schema_of
from contracts.topics import TOPICS
from contracts.values import rfc3339
from tests.support.examples import example

FREE_TEXT = {
    "text",
    "raw_base64",
    "phone",
    "display_name",
    "told_customer",
    "what",
    "resolution",
    "note_of_customer",
}

JOURNAL = [kind for kind in MESSAGES.values() if issubclass(kind, CaseEvent)]


def test_generated_files_are_up_to_date() -> None:
    stale = [
        path.name
        for path, text in contracts.generate.generated().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make generate` and commit the result"


def test_every_topic_of_a_message_exists() -> None:
    assert {topic for message in MESSAGES.values() for topic in topics_of(message)} == set(TOPICS)


def _strings(schema: Any, defs: dict[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - any JSON
    if isinstance(schema, list):
        return [found for item in schema for found in _strings(item, defs, name)]
    if not isinstance(schema, dict):
        return []
    here = [(name, schema)] if schema.get("type") == "string" else []
    inner = [
        found
        for key, value in schema.items()
        for found in (
            [hit for field, part in value.items() for hit in _strings(part, defs, field)]
            if key in ("properties", "$defs")
            else _strings(value, defs, name)
        )
    ]
    return here + inner


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_fields_that_hold_customers_words_or_numbers_are_marked_personal(name: str) -> None:
    schema = schema_of(MESSAGES[name])
    unmarked = [
        field
        for field, part in _strings(schema, schema.get("$defs", {}))
        if field in FREE_TEXT and "const" not in part and "enum" not in part and not part.get("x-personal")
    ]
    assert unmarked == []


@pytest.mark.parametrize("message", MESSAGES.values(), ids=lambda message: message.type)
def test_moments_are_spelt_in_one_way(message: type[Message]) -> None:
    data = example(message).value()
    assert set(re.findall(rb'"2026-11-02T[^"]*"', data)) <= {b'"2026-11-02T09:30:00Z"'}


def test_a_moment_of_another_zone_is_written_in_utc_with_its_microseconds() -> None:
    event = DeliveryReported.read(
        b'{"provider":"p","provider_ref":"r","status":"sent","at":"2026-11-22T05:00:00.250+08:00"}'
    )
    assert b'"at":"2026-11-21T21:00:00.250000Z"' in event.value()


@pytest.mark.parametrize(
    "event", [kind for kind in MESSAGES.values() if issubclass(kind, CaseEvent)], ids=lambda kind: kind.type
)
def test_the_bytes_of_the_journal_are_the_canonical_form_of_rfc_8785(event: type[CaseEvent]) -> None:
    filled = example(event)
    assert isinstance(filled, CaseEvent)
    value, digest = seal(filled)
    without = rfc8785.dumps(filled.model_dump(mode="json", exclude_none=True, exclude={"hash"}))
    assert value == without[:-1] + b',"hash":"' + digest.encode() + b'"}'


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is given beside
def test_the_journal_spells_any_moment_as_every_other_message_does(moment: datetime) -> None:
    event = example(CaseProgressed).model_copy(update={"occurred_at": moment})
    assert isinstance(event, CaseProgressed)
    assert b'"occurred_at":"%b"' % rfc3339(moment).encode() in seal(event)[0]
    assert b'"occurred_at":"%b"' % rfc3339(moment).encode() in event.value()


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=3),
)
def test_the_hash_is_that_of_the_canonical_form_for_any_text(action: str, steps: list[str]) -> None:
    event = example(CaseProgressed).model_copy(update={"action": action, "step": "".join(steps)})
    assert isinstance(event, CaseProgressed)
    value, digest = seal(event)
    data = rfc8785.dumps(event.model_dump(mode="json", exclude_none=True, exclude={"hash"}))
    assert CaseProgressed.read(value).hash == digest == hashlib.sha256(data).hexdigest()
    assert verify_hash(value)
    assert not verify_hash(value.replace(b'"version":1', b'"version":2'))
