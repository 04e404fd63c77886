"""Does the audit see what is missing, doubled, changed or forgotten, and nothing else?"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import router
from contracts.channel import MessageReceived
from contracts.intake import ContactIgnored, ContactReceived
from contracts.message import Message, derived_id
from contracts.router import seal
from contracts.router.event import ZERO_HASH
from contracts.values import Cause, Party
from services.cli.audit.chains import Chains
from services.cli.audit.doors import Doors
from services.cli.audit.findings import Findings
from services.cli.audit.promises import Promises
from services.runtime.envelope import seal as headers_of
from services.runtime.records import Record
from tests.support.examples import MOMENT, example

CASE = derived_id("a case of an audit")
PROMISE = derived_id("a promise of an audit")


def _chain(length: int) -> list[bytes]:
    previous, values = ZERO_HASH, []
    for version in range(1, length + 1):
        fields = {"case_id": CASE, "version": version, "previous_hash": previous}
        event = example(router.CaseProgressed).model_copy(update=fields)
        assert isinstance(event, router.CaseProgressed)
        value, previous = seal(event)
        values.append(value)
    return values


def _read(values: list[bytes], *, from_start: bool = True) -> Chains:
    chains = Chains(Findings(), from_start=from_start)
    for place, value in enumerate(values):
        chains.take(value, str(CASE).encode(), f"case.events/0@{place}")
    return chains


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=5))
def test_a_whole_chain_with_repeats_is_right(repeats: list[int]) -> None:
    values = _chain(6)

    chains = _read([*values, *(values[place] for place in repeats)])

    assert chains.findings.listed == []
    assert (chains.events, chains.duplicates) == (6 + len(repeats), len(repeats))


@given(st.integers(min_value=0, max_value=4))
def test_a_missing_version_is_found(gone: int) -> None:
    values = _chain(6)

    found = _read(values[:gone] + values[gone + 1 :]).findings.listed

    assert len(found) == 1
    assert "missing" in found[0].problem


def test_a_changed_word_is_found() -> None:
    values = _chain(3)
    changed = orjson.loads(values[1])
    changed["action"] = "something else"

    found = _read([values[0], orjson.dumps(changed), values[2]]).findings.listed

    assert [finding.problem for finding in found] == ["its hash is not that of its data"]


def test_a_second_story_is_found() -> None:
    values = _chain(3)
    other = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 2, "step": "other"})
    assert isinstance(other, router.CaseProgressed)

    found = _read([*values, seal(other)[0]]).findings.listed

    assert [finding.problem for finding in found] == ["two different events have this version"]


def test_a_rewritten_link_is_found() -> None:
    values = _chain(3)
    event = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 2, "previous_hash": "f" * 64})
    assert isinstance(event, router.CaseProgressed)

    problems = [finding.problem for finding in _read([values[0], seal(event)[0]]).findings.listed]

    assert problems == ["its previous_hash is not the hash of the event before it"]


def test_with_a_later_beginning_a_chain_may_begin_anywhere() -> None:
    values = _chain(6)[3:]

    assert _read(values).findings.total == 1
    assert _read(values, from_start=False).findings.total == 0


def test_what_is_no_event_is_found() -> None:
    assert _read([b"no JSON", b"[]", b"{}"]).findings.total == 3


def _event(kind: type[Message], **fields: object) -> tuple[str, dict[str, Any]]:
    message = example(kind).model_copy(update={"case_id": CASE, "promise_id": PROMISE, **fields})
    return kind.type, message.model_dump(mode="json", exclude_none=True)


def _judged(*said: tuple[str, dict[str, Any]], minutes: int = 0) -> tuple[dict[str, int], int]:
    promises, findings = Promises(), Findings()
    for kind, data in said:
        if kind.startswith("caseloop.clock."):
            promises.take_clock(kind, data)
        else:
            promises.take_event(kind, data)
    return promises.judge(findings, MOMENT + timedelta(minutes=minutes)), findings.total


def _made() -> tuple[str, dict[str, Any]]:
    return _event(router.PromiseMade, state="assigned", due_at=MOMENT + timedelta(hours=1))


def _clock(name: str) -> tuple[str, dict[str, Any]]:
    data = {"case_id": str(CASE), "promise_id": str(PROMISE), "clock": "promise"}
    return f"caseloop.clock.{name}.v1", data


def test_a_promise_with_a_clock_is_right_until_its_time_has_passed() -> None:
    assert _judged(_made(), _clock("started")) == ({"running": 1}, 0)
    assert _judged(_made(), _clock("started"), minutes=70) == ({"running": 1}, 1)


def test_a_promise_without_an_end_and_without_a_clock_is_found() -> None:
    assert _judged(_made()) == ({"lost": 1}, 1)
    assert _judged(_made(), _clock("started"), _clock("cancelled")) == ({"lost": 1}, 1)


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (_event(router.PromiseKept, state="assigned"), "kept"),
        (_event(router.PromiseBreached, state="assigned"), "breached"),
        (_clock("met"), "kept"),
        (_clock("breached"), "breached"),
    ],
)
def test_a_promise_that_ended_is_right(end: tuple[str, dict[str, Any]], name: str) -> None:
    assert _judged(_made(), _clock("started"), end, minutes=999) == ({name: 1}, 0)


def test_a_moved_promise_needs_a_new_end() -> None:
    moved = _event(router.PromiseMoved, state="assigned", due_at=MOMENT + timedelta(hours=9))

    assert _judged(_made(), _clock("breached"), moved) == ({"lost": 1}, 1)
    assert _judged(_made(), _clock("breached"), moved, _clock("started"), minutes=70) == ({"running": 1}, 0)


def test_a_moved_promise_runs_on_the_clock_of_its_new_time() -> None:
    moved = _event(router.PromiseMoved, state="assigned", due_at=MOMENT + timedelta(hours=2))
    assert _judged(_made(), _clock("started"), moved, _clock("cancelled"), _clock("started")) == ({"running": 1}, 0)
    assert _judged(_made(), _clock("started"), moved, _clock("cancelled")) == ({"lost": 1}, 1)


def test_a_closed_case_ends_its_promises() -> None:
    closed = ("caseloop.case.closed.v1", {"case_id": str(CASE), "state": "closed", "version": 9})

    assert _judged(_made(), closed, minutes=999) == ({"closed with its case": 1}, 0)


def _record(message: Message, message_id: UUID, offset: int, *, value: bytes | None = None) -> Record:
    headers = headers_of(message, message_id=message_id, source="caseloop/test", time=MOMENT, traceparent=None)
    key = message.key().encode()
    return Record(message.topic_name(), 0, offset, 0, key, value or message.value(), headers)


def _spoken(number: int) -> tuple[MessageReceived, UUID]:
    party = Party(kind="phone", value="+8613800005678")
    text = {"channel": "chat", "conversation_id": "c", "message_id": str(number), "text": "x"}
    return MessageReceived.model_validate({**text, "author": "customer", "from": (party,)}), derived_id(
        "spoken", number
    )


def _contact(kind: type[ContactReceived | ContactIgnored], caused_by: UUID, **fields: object) -> Message:
    cause = Cause(id=str(caused_by), type=MessageReceived.type)
    return example(kind).model_copy(update={"cause": cause, **fields})


def _doors(parked: dict[tuple[str, int, int], str] | None = None) -> Doors:
    return Doors(Findings(), parked or {}, {})


def test_every_ending_is_counted() -> None:
    doors = _doors({("channel.chat", 0, 3): "dead", ("channel.chat", 0, 4): "discarded"})
    (first, first_id), (second, second_id), (third, third_id) = _spoken(1), _spoken(2), _spoken(3)
    doors.take_contact(_record(_contact(ContactReceived, first_id, demands=()), derived_id("c", 1), 0))
    doors.take_contact(_record(_contact(ContactIgnored, second_id), derived_id("c", 2), 1))
    doors.take_channel_event(_record(first, first_id, 0))
    doors.take_channel_event(_record(second, second_id, 1))
    doors.take_channel_event(_record(first, first_id, 2))
    doors.take_channel_event(_record(third, third_id, 3, value=b"no JSON"))
    doors.take_channel_event(_record(third, derived_id("d"), 4))
    doors.take_channel_event(_record(third, third_id, 5))

    doors.close({third_id})

    assert doors.findings.listed == []
    assert doors.endings == {
        "understood": 1,
        "ignored": 1,
        "duplicate": 1,
        "parked": 1,
        "discarded": 1,
        "settled": 1,
    }


def test_an_event_without_an_ending_is_found() -> None:
    doors = _doors()
    message, message_id = _spoken(1)
    doors.take_channel_event(_record(message, message_id, 7))
    doors.take_channel_event(_record(message, message_id, 8, value=b"broken"))

    doors.close(set())

    assert sorted(finding.where for finding in doors.findings.listed) == ["channel.chat/0@7", "channel.chat/0@8"]


def test_a_demand_that_never_became_a_case_is_found() -> None:
    doors = _doors()
    doors.take_contact(_record(_contact(ContactReceived, derived_id("e")), derived_id("c", 1), 0))
    doors.take_contact(_record(_contact(ContactReceived, derived_id("f")), derived_id("c", 2), 1))
    doors.take_cause(str(derived_id("c", 2)))

    doors.close(set())

    assert [finding.where for finding in doors.findings.listed] == ["contacts/0@0"]
