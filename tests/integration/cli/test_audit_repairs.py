"""Is what was lost said again, by whom it belongs to, and kept; and what cannot be, left alone?"""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from services.cli.audit.findings import Finding
from services.cli.audit.repairing import repair_all
from services.cli.audit.repairs import Repair, SetTimer, TellEvents
from services.cli.connection import Where, find
from services.cli.schemas import schema
from tests.integration.cli.ledgers import Fill, Spoil, an_event, audited, kept, relay, settled
from tests.support.ledger import Ledger


async def test_a_lost_event_is_said_again_as_desk_recorded_it(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    await fill(lambda ledger: an_event(ledger, 4, 7, lambda _: None))

    dry = await audited(where, capsys, repair=True)
    assert [found["problem"] for found in dry["findings"]] == ["version 7 missing before it"]
    assert [repaired["outcome"] for repaired in dry["repairs"]] == ["would"]
    assert await kept(where, "router") == []

    done = await audited(where, capsys, repair=True, yes=True)
    assert [repaired["outcome"] for repaired in done["repairs"]] == ["done"]
    assert await relay(where, "router") == 1
    await settled(where, "followup", "case.events")

    again = await audited(where, capsys)
    assert again["findings"] == []
    assert again["case_events_said_again"] == 1
    assert len(await kept(where, "router")) == 1


async def test_what_desk_has_not_recorded_or_somebody_changed_is_not_said_again(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    def spoiling(ledger: Ledger) -> Spoil:
        first, second = (an_event(ledger, number, 7, lambda _: None) for number in (4, 5))
        return lambda topic, value: first(topic, value) and second(topic, value)

    ledger = await fill(spoiling)
    async with schema(find(where).postgres, "desk") as desk:
        await desk.execute("DELETE FROM timeline WHERE case_id = $1 AND version = 7", ledger.case_id(4))
        change = (
            "UPDATE timeline SET data = set_byte(data, 99, get_byte(data, 99) # 1) WHERE case_id = $1 AND version = 7"
        )
        await desk.execute(change, ledger.case_id(5))

    told = await audited(where, capsys, repair=True, yes=True)

    outcomes = sorted(repaired["outcome"] for repaired in told["repairs"])
    assert [outcome.partition(",")[0] for outcome in outcomes] == ["not done", "not done"]
    assert await kept(where, "router") == []


async def test_a_state_that_was_not_told_is_told_again(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    def spoiling(ledger: Ledger) -> Spoil:
        ours = str(ledger.case_id(2)).encode()
        return lambda topic, value: None if topic == "case.snapshots" and ours in value else value

    await fill(spoiling)
    told = await audited(where, capsys, repair=True, yes=True)
    assert [found["check"] for found in told["findings"]] == ["snapshot"]

    assert await relay(where, "router") == 1

    assert (await audited(where, capsys))["findings"] == []
    assert len(await kept(where, "router")) == 1


async def test_a_lost_timer_is_set_anew(where: Where, capsys: pytest.CaptureFixture[str], fill: Fill) -> None:
    ledger = await fill()
    async with schema(find(where).postgres, "followup") as followup:
        await followup.execute("DELETE FROM timers WHERE timer_id = $1", ledger.case_id(10))

    told = await audited(where, capsys, repair=True, yes=True)
    assert [(found["check"], found["case_id"]) for found in told["findings"]] == [("timer", str(ledger.case_id(10)))]

    assert (await audited(where, capsys))["findings"] == []
    async with schema(find(where).postgres, "followup") as followup:
        timer = await followup.fetchrow("SELECT kind, key FROM timers WHERE timer_id = $1", ledger.case_id(10))
    assert timer is not None
    assert (timer["kind"], timer["key"]) == ("case_wake", str(ledger.case_id(10)))
    assert len(await kept(where, "followup")) == 1


def _contacts_of(ledger: Ledger, *numbers: int) -> Sequence[bytes]:
    return [f'"id":"{ledger.name}-event-{number}"'.encode() for number in numbers]


async def test_an_event_that_nobody_recorded_is_published_again(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    def spoiling(ledger: Ledger) -> Spoil:
        (lost,) = _contacts_of(ledger, 6)
        return lambda topic, value: None if topic == "contacts" and lost in value else value

    await fill(spoiling)
    told = await audited(where, capsys, repair=True, yes=True)
    assert [found["check"] for found in told["findings"]] == ["channel event"]
    assert [repaired["outcome"] for repaired in told["repairs"]] == ["done"]
    await settled(where, "intake", "channel.chat")

    again = await audited(where, capsys)

    assert again["channel_events"]["duplicate"] == 1
    assert len(await kept(where, "intake")) == 1


async def test_a_contact_that_led_to_nothing_is_said_again(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    def spoiling(ledger: Ledger) -> Spoil:
        ours = str(ledger.case_id(8)).encode()
        return lambda topic, value: (
            None if topic in {"case.events", "case.snapshots", "followups"} and ours in value else value
        )

    ledger = await fill(spoiling)
    async with schema(find(where).postgres, "router") as router:
        await router.execute("DELETE FROM cases WHERE case_id = $1", ledger.case_id(8))

    told = await audited(where, capsys, repair=True, yes=True)

    assert [found["check"] for found in told["findings"]] == ["contact"]
    assert await relay(where, "intake") == 1
    assert len(await kept(where, "intake")) == 1


async def test_a_repair_that_spoilt_data_make_impossible_keeps_no_other_from_being_done(
    where: Where, fill: Fill
) -> None:
    ledger = await fill()
    impossible: list[Repair] = [
        SetTimer("router", "offer_expires", ledger.case_id(1), ledger.case_id(1), "soon"),
        TellEvents(ledger.case_id(1), 2, 2**40),
    ]
    possible = SetTimer("followup", "case_wake", ledger.case_id(19), ledger.case_id(19))
    findings = [Finding("timer", "here", "lost", repair=repair) for repair in (*impossible, possible)]

    done = await repair_all(find(where), findings, datetime.now(UTC), act=True)

    assert [each.outcome.partition(",")[0] for each in done] == ["not done", "not done", "done"]
    assert await kept(where, "router") == []
    assert len(await kept(where, "followup")) == 1
