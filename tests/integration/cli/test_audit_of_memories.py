"""Is it named where a service remembers less of a case than the journal says, and is what is on its way left alone?"""

import pytest

from services.cli.audit.listeners import TAKES
from services.cli.connection import Where, find
from services.cli.schemas import schema
from services.runtime import parking
from services.runtime.endings import Dead
from services.runtime.pieces import Entry
from services.runtime.records import Record
from tests.integration.cli.ledgers import Fill, Told, audited
from tests.support.examples import MOMENT
from tests.support.ledger import EVENTS, Ledger

CLOSED, CLOSED_TOO = 1, 2
"""Numbers of cases of which every service took the last event."""
FORGET = "UPDATE cases SET version = 7 WHERE case_id = $1"
LOSE = "DELETE FROM cases WHERE case_id = $1"
STEP_BACK = "UPDATE koff SET next_offset = 0 WHERE topic = 'case.events'"


async def _change(where: Where, service: str, statement: str, *given: object) -> None:
    async with schema(find(where).postgres, service) as tables:
        await tables.execute(statement, *given)


def _named(told: Told) -> list[tuple[str, str]]:
    return sorted((found["case_id"], found["problem"]) for found in told["findings"] if found["check"] == "memory")


def _spots(told: Told) -> list[tuple[str, int, int]]:
    return [(found["topic"], found["partition"], found["offset"]) for found in told["findings"]]


@pytest.mark.parametrize("service", sorted(TAKES))
async def test_what_a_service_has_let_go_by_is_named(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill, service: str
) -> None:
    ledger = await fill()
    await _change(where, service, FORGET, ledger.case_id(CLOSED))
    await _change(where, service, LOSE, ledger.case_id(CLOSED_TOO))

    told = await audited(where, capsys)

    behind, unknown = str(ledger.case_id(CLOSED)), str(ledger.case_id(CLOSED_TOO))
    named = _named(told)
    assert sorted(case_id for case_id, _ in named) == sorted([behind, unknown])
    problems = dict(named)
    assert f"{service} remembers version 7 of it, the journal has told it version {EVENTS}" in problems[behind]
    assert f"{service} does not know it, the journal has told it version {EVENTS}" in problems[unknown]
    assert told["findings_total"] == len(named)


@pytest.mark.parametrize("service", sorted(TAKES))
async def test_what_a_service_has_not_come_to_is_on_its_way(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill, service: str
) -> None:
    ledger = await fill()
    await _change(where, service, FORGET, ledger.case_id(CLOSED))
    await _change(where, service, STEP_BACK)

    assert _named(await audited(where, capsys)) == []


@pytest.mark.parametrize(("status", "named"), [("dead", 0), ("retry", 0), ("discarded", 0), ("retried", 1)])
async def test_what_is_parked_is_not_lost(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill, status: str, named: int
) -> None:
    ledger = await fill()
    await _change(where, "notify", FORGET, ledger.case_id(CLOSED))
    (spot,) = _spots(await audited(where, capsys))
    await _park(where, ledger, spot)
    await _change(
        where,
        "notify",
        "UPDATE parked SET status = $1, next_attempt_at = CASE WHEN $1 = 'retry' THEN parked_at END",
        status,
    )

    assert len(_named(await audited(where, capsys))) == named


async def test_a_case_whose_beginning_is_parked_is_not_known_and_not_lost(
    where: Where, capsys: pytest.CaptureFixture[str], fill: Fill
) -> None:
    ledger = await fill()
    await _change(where, "followup", LOSE, ledger.case_id(CLOSED))
    (last,) = _spots(await audited(where, capsys))
    # Cases of one round stand in turns: version 1 of this case is as far before its last as all of its partition say.
    async with schema(find(where).postgres, "followup") as tables:
        end = await tables.fetchval(
            "SELECT next_offset FROM koff WHERE topic = 'case.events' AND partition = $1", last[1]
        )
    await _park(where, ledger, (last[0], last[1], last[2] - (end // EVENTS) * (EVENTS - 1)), "followup")

    assert _named(await audited(where, capsys)) == []


async def _park(where: Where, ledger: Ledger, spot: tuple[str, int, int], service: str = "notify") -> None:
    key = str(ledger.case_id(CLOSED)).encode()
    record = Record(*spot, 0, key, b"{}", ())
    async with schema(find(where).postgres, service) as tables:
        await parking.park(tables, [(Entry(record, None), Dead("handler_failed", "a bug"))], MOMENT)
