"""Is a case whole only when journal, table, snapshot, clocks and timers agree?"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from contracts.message import derived_id
from services.cli.audit.casefile import CaseFile, case_file, judge
from services.cli.audit.promises import CLOCK
from services.cli.audit.repairs import SetTimer, TellEvents, TellSnapshot
from services.cli.audit.runs import Fact
from services.cli.audit.snapshots import SNAPSHOT
from services.cli.audit.tables import Stored
from tests.support.examples import MOMENT
from tests.unit.cli.audit.journals import CASE, told, whole

VALUES = whole(4)
LAST = orjson.loads(VALUES[-1])
STATE = b"the state"
STORED = Stored(CASE, 4, LAST["state"], LAST["hash"], STATE, None, "", None)
TOLD: Fact = (SNAPSHOT, 0, 0, 4, STATE)
OFFER = derived_id("an offer")


def _file(
    folder: Path,
    stored: Stored | None = STORED,
    *others: Fact,
    versions: int = 4,
    timers: tuple[UUID, ...] = (),
) -> CaseFile:
    facts = told(folder, VALUES[:versions]).facts.get(CASE, []) if versions else []
    file = case_file(CASE, [*facts, *(others or (TOLD,))], stored, from_start=True)
    judge(file, timers, MOMENT, whole=True)
    return file


def _doubts(file: CaseFile) -> list[str]:
    return [finding.problem for finding in file.doubts.listed]


def test_a_whole_case_is_right(tmp_path: Path) -> None:
    file = _file(tmp_path)

    assert (file.findings.total, _doubts(file)) == (0, [])


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (None, "does not know it"),
        (replace(STORED, version=3, digest=orjson.loads(VALUES[2])["hash"]), "has version 3, the journal version 4"),
        (replace(STORED, digest="0" * 64), "another hash than the journal for version 4"),
        (replace(STORED, state="elsewhere"), "it is elsewhere in the router's table"),
        (replace(STORED, problem="its body is not a case"), "its body is not a case"),
        (replace(STORED, told=b"another"), "case.snapshots differ in what they say of version 4"),
    ],
)
def test_a_table_that_says_something_else_is_found(tmp_path: Path, stored: Stored | None, words: str) -> None:
    (doubt,) = _file(tmp_path, stored).doubts.listed

    assert words in doubt.problem
    assert (doubt.case_id, doubt.repair) == (CASE, None)


def test_events_that_only_the_table_has_can_be_said_again(tmp_path: Path) -> None:
    (doubt,) = _file(tmp_path, versions=2).doubts.listed
    assert doubt.repair == TellEvents(CASE, 3, 4)

    (doubt,) = _file(tmp_path, versions=0).doubts.listed
    assert doubt.repair == TellEvents(CASE, 1, 4)


def test_a_table_may_be_older_than_what_was_read_after_it(tmp_path: Path) -> None:
    older = replace(STORED, version=3, digest=orjson.loads(VALUES[2])["hash"], told=b"older")
    facts = told(tmp_path, VALUES).facts[CASE]
    file = case_file(CASE, [*facts, TOLD], older, from_start=True)
    file.seen = 3
    judge(file, (), MOMENT, whole=True)
    assert _doubts(file) == []

    forged = case_file(CASE, [*facts, TOLD], replace(older, digest="0" * 64), from_start=True)
    forged.seen = 3
    judge(forged, (), MOMENT, whole=True)
    assert _doubts(forged) == ["the router's table holds another hash than the journal for version 3"]


@pytest.mark.parametrize("snapshot", [(CLOCK, 0, 0, "met", "c", "", ""), (SNAPSHOT, 0, 0, 3, STATE)])
def test_a_state_that_was_not_told_is_found_unless_it_is_about_to_be(tmp_path: Path, snapshot: Fact) -> None:
    (doubt,) = _file(tmp_path, STORED, snapshot).doubts.listed
    assert doubt.repair == TellSnapshot(CASE)

    file = case_file(CASE, [*told(tmp_path, VALUES).facts[CASE], snapshot], STORED, from_start=True)
    file.to_be_told = True
    judge(file, (), MOMENT, whole=True)
    assert _doubts(file) == []


def test_a_running_clock_needs_a_timer(tmp_path: Path) -> None:
    clock: Fact = (CLOCK, 0, 0, "started", "c", "", (MOMENT + timedelta(hours=1)).isoformat())

    assert _doubts(_file(tmp_path, STORED, TOLD, clock, timers=(CASE,))) == []
    (doubt,) = _file(tmp_path, STORED, TOLD, clock).doubts.listed
    assert doubt.repair == SetTimer("followup", "case_wake", CASE, CASE)


def test_an_offer_needs_a_timer_and_gets_it_back_at_its_time(tmp_path: Path) -> None:
    until = (MOMENT + timedelta(seconds=20)).isoformat()
    offered = replace(STORED, state="offered", offer_id=OFFER, offer_until=until)

    assert "its offer has no timer" not in _doubts(_file(tmp_path, offered, timers=(OFFER,)))
    doubts = _file(tmp_path, offered).doubts.listed
    assert SetTimer("router", "offer_expires", OFFER, CASE, until) in [doubt.repair for doubt in doubts]
