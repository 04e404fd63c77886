"""Is one changed byte or lost row found among whole cases on real topics and tables?"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.cli.audit import cases, processes
from services.cli.connection import Where, find
from services.cli.schemas import schema
from tests.integration.cli.ledgers import CASES, Fill, Spoil, Told, an_event, audited, flipped
from tests.support.ledger import EVENTS, Ledger


async def test_whole_cases_are_proven_by_one_process_and_by_several(
    where: Where,
    capsys: pytest.CaptureFixture[str],
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill()

    alone = await audited(where, capsys)
    monkeypatch.setattr(processes, "APART_MIN", 1)
    apart = await audited(where, capsys)

    assert alone["findings"] == []
    assert alone == apart
    assert (alone["cases"], alone["case_events"]) == (CASES, CASES * EVENTS)
    assert alone["channel_events"] == {"total": CASES, "understood": CASES}
    assert (alone["promises"], alone["clocks_running"]) == ({"kept": CASES}, CASES // 10)


async def test_one_changed_byte_of_an_event_is_found_and_named(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    """Wherever it lies: in the id, in a word, in the links, in the hash, between the members."""
    places = [0, 14, 60, 99, 150, 222, 300, -3, -40, -70]

    def spoiling(ledger: Ledger) -> Spoil:
        changes = [an_event(ledger, number, 6, partial(flipped, at=at)) for number, at in enumerate(places)]

        def spoil(topic: str, value: bytes) -> bytes | None:
            said: bytes | None = value
            for change in changes:
                said = said and change(topic, said)
            return said

        return spoil

    ledger = await fill(spoiling)

    told = await audited(where, capsys)

    spoilt = {str(ledger.case_id(number)) for number in range(len(places))}
    named = [found for found in told["findings"] if found["check"] == "chain" and found["case_id"] in spoilt]
    assert {found["case_id"] for found in named} == spoilt
    assert {found["case_id"] for found in told["findings"]} - spoilt <= {None, *_aliens(told)}
    assert all(found["case_number"] and found["topic"] == "case.events" for found in named)
    assert {found["offset"] for found in named} != {None}
    assert sum("cannot be repaired" in found["advice"] for found in named) >= len(places)


def _aliens(told: Told) -> set[str]:
    """Return cases that are there only because an id was changed."""
    return {found["case_id"] for found in told["findings"] if "its key is not its case" in found["problem"]}


BODY = "UPDATE cases SET body = set_byte(body, $2, get_byte(body, $2) # 1) WHERE case_id = $1"
COLUMNS: Mapping[str, str] = {
    "version": "UPDATE cases SET version = version + 1 WHERE case_id = $1",
    "state": "UPDATE cases SET state = 'waiting_customer' WHERE case_id = $1",
    "row": "DELETE FROM cases WHERE case_id = $1",
}


async def test_one_changed_byte_of_a_row_of_the_router_is_found_and_named(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    ledger = await fill()
    places = [12, 70, 130, 200, 333, 500, 700, 900, 1100, 1300]
    async with schema(find(where).postgres, "router") as tables:
        for number, at in enumerate(places):
            await tables.execute(BODY, ledger.case_id(number), at)
        for number, statement in enumerate(COLUMNS.values(), len(places)):
            await tables.execute(statement, ledger.case_id(number))

    told = await audited(where, capsys)

    spoilt = {str(ledger.case_id(number)) for number in range(len(places) + len(COLUMNS))}
    assert {found["case_id"] for found in told["findings"]} == spoilt
    assert {found["check"] for found in told["findings"]} <= {"table", "snapshot"}


async def test_an_overdue_timer_and_a_wait_without_one_are_found(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    ledger = await fill()
    async with schema(find(where).postgres, "followup") as followup:
        late = "UPDATE timers SET due_at = now() - interval '1 hour' WHERE timer_id = $1"
        await followup.execute(late, ledger.case_id(0))
        waits = "INSERT INTO handles (handle_id, case_id, customer_id) VALUES ($1, $2, $1)"
        await followup.execute(waits, ledger.case_id(999), ledger.case_id(1))

    told = await audited(where, capsys)

    found = {(each["check"], each["case_id"]): each["problem"] for each in told["findings"]}
    assert "should have fired" in found["timer", str(ledger.case_id(0))]
    assert "it has no timer" in found["timer", str(ledger.case_id(1))]
    assert len(found) == 2


DELIVERY = """
INSERT INTO deliveries (delivery_id, case_id, purpose, template, channel, recipient, body, state, due_at, expires_at,
    cause_id, cause_type, created_at, changed_at)
VALUES ($1, $1, 'milestone', 'milestone', 'sms', '+8613800005678', '', $2, $3, now(), 'c-1', 'c', now(), now())
"""


async def test_a_message_that_waits_beyond_its_time_is_found(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    ledger = await fill()
    now = datetime.now(UTC)
    async with schema(find(where).postgres, "notify") as notify:
        given = [("queued", now - timedelta(hours=1)), ("unknown", None), ("sending", now), ("sent", None)]
        for number, (state, due_at) in enumerate(given):
            await notify.execute(DELIVERY, ledger.case_id(number), state, due_at)

    told = await audited(where, capsys)

    found = {each["case_id"]: (each["check"], each["problem"]) for each in told["findings"]}
    assert found.keys() == {str(ledger.case_id(number)) for number in (0, 1)}
    assert {check for check, _ in found.values()} == {"delivery"}
    assert "should have gone on" in found[str(ledger.case_id(0))][1]
    assert "nobody knows" in found[str(ledger.case_id(1))][1]


async def test_records_that_were_deleted_unread_are_named_in_the_range_in_which_that_was_noticed(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    await fill()
    noticed = datetime.now(UTC) - timedelta(hours=1)
    async with schema(find(where).postgres, "intake") as intake:
        await intake.execute("INSERT INTO missed VALUES ('channel.chat', 3, 40, 47, $1)", noticed)

    told = await audited(where, capsys)
    later = await audited(where, capsys, since=(noticed + timedelta(minutes=1)).isoformat())

    (found,) = told["findings"]
    assert (found["check"], found["where"], found["topic"], found["offset"]) == ("missed", "intake", "channel.chat", 40)
    assert "7 records" in found["problem"]
    assert later["findings"] == []


async def test_a_case_told_of_without_end_is_named_and_not_held(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await fill()
    monkeypatch.setattr(cases, "FACTS_MAX", 5)  # closed cases have a chain, four steps of clocks and a state

    told = await audited(where, capsys)

    closed = {str(ledger.case_id(number)) for number in range(CASES) if number % 10}
    assert {(found["check"], found["case_id"]) for found in told["findings"]} == {("chain", each) for each in closed}
    assert told["cases"] == CASES - len(closed)
