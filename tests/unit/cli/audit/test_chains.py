"""Is every gap, repeat, change and disorder of a chain seen, and nothing else, however the journal was read?"""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import router
from contracts.router import seal, verify_hash
from contracts.router.event import ZERO_HASH
from services.cli.audit import journal
from services.cli.audit.journal import holds
from services.cli.audit.promises import promises_of
from services.cli.audit.repairs import TellEvents
from tests.support.examples import MOMENT, example
from tests.unit.cli.audit.journals import CASE, Story, changed, record, told, whole

# The folder of temporary runs is only ever added to.
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(repeats=st.lists(st.integers(min_value=0, max_value=5), max_size=5))
def test_a_whole_chain_with_repeats_is_right(tmp_path: Path, repeats: list[int]) -> None:
    values = whole(6)

    story = told(tmp_path, [*values, *(values[place] for place in repeats)])

    assert story.problems == []
    assert (story.events, story.duplicates) == (6 + len(repeats), len(repeats))
    assert (story.chain.last, story.chain.digest) == (6, orjson.loads(values[5])["hash"])


@pytest.mark.parametrize("due_at", ["soon", "", "2026-11-02T09:30:00"])
def test_a_promise_without_a_time_is_named_and_ends_no_audit(tmp_path: Path, due_at: str) -> None:
    said = record(changed(whole(1)[0], promise_id="p", due_at=due_at), 0)
    made = replace(said, headers=(("ce_type", b"caseloop.case.promise_made.v1"),))

    story = Story(tmp_path, [made])

    assert promises_of(story.chain, ()).judge(story.findings, MOMENT, over=False) == {}
    assert "version 1: what it promises has no time" in story.problems


@pytest.mark.parametrize("gone", range(5))
def test_a_missing_version_is_found_and_can_be_said_again(tmp_path: Path, gone: int) -> None:
    values = whole(6)

    story = told(tmp_path, values[:gone] + values[gone + 1 :])

    assert story.problems == [f"version {gone + 1} missing before it"]
    assert story.findings.listed[0].repair == TellEvents(CASE, gone + 1, gone + 1)
    assert str(story.findings.listed[0].spot) == f"case.events/0@{gone}"


@in_one_folder
@given(place=st.integers(min_value=1, max_value=5), data=st.data())
def test_every_changed_byte_is_found(tmp_path: Path, place: int, data: st.DataObject) -> None:
    values = whole(6)
    at = data.draw(st.integers(min_value=0, max_value=len(values[place]) - 1))
    bit = data.draw(st.integers(min_value=0, max_value=7))
    spoilt = bytearray(values[place])
    spoilt[at] ^= 1 << bit

    found = told(tmp_path, [*values[:place], bytes(spoilt), *values[place + 1 :]]).findings.listed

    assert str(found[0].spot) == f"case.events/0@{place}"


def test_a_changed_word_is_found(tmp_path: Path) -> None:
    values = whole(3)

    story = told(tmp_path, [values[0], changed(values[1], action="something else"), values[2]])

    assert story.problems == ["version 2: its hash is not that of its data"]


def test_a_second_story_is_found(tmp_path: Path) -> None:
    other = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 2, "step": "other"})
    assert isinstance(other, router.CaseProgressed)

    story = told(tmp_path, [*whole(3), seal(other)[0]])

    assert story.problems == ["two different events have version 2"]


def test_a_rewritten_link_is_found(tmp_path: Path) -> None:
    values = whole(3)
    event = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 2, "previous_hash": "f" * 64})
    assert isinstance(event, router.CaseProgressed)

    story = told(tmp_path, [values[0], seal(event)[0]])

    assert story.problems == ["version 2: its previous_hash is not the hash of the event before it"]


def test_a_first_event_that_follows_something_is_found(tmp_path: Path) -> None:
    event = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 1, "previous_hash": "f" * 64})
    assert isinstance(event, router.CaseProgressed)

    assert told(tmp_path, [seal(event)[0]]).problems == ["version 1 has a previous_hash"]


def test_with_a_later_beginning_a_chain_may_begin_anywhere(tmp_path: Path) -> None:
    values = whole(6)[3:]

    assert told(tmp_path, values).problems == ["versions 1 to 3 missing before it"]
    assert told(tmp_path, values, from_start=False).problems == []


def test_versions_behind_later_ones_are_found_unless_a_repair_said_them_again(tmp_path: Path) -> None:
    values = whole(4)
    disordered = [record(value, offset) for offset, value in enumerate((values[0], values[2], values[3]))]

    late = Story(tmp_path, [*disordered, record(values[1], 9)])
    mended = Story(tmp_path, [*disordered, record(values[1], 9, repaired=True)])

    assert late.problems == ["version 2 stands behind version 3"]
    assert (mended.problems, mended.chain.repaired, mended.chain.last) == ([], 1, 4)


def test_a_chain_may_go_on_in_another_partition(tmp_path: Path) -> None:
    values = whole(4)
    moved = [record(values[2], 0, 5), record(values[3], 1, 5), record(values[0], 0, 2), record(values[1], 1, 2)]

    assert Story(tmp_path, moved).problems == []
    assert Story(tmp_path, [*moved, record(changed(values[1], step="x"), 2, 5)]).problems == [
        "version 2: its hash is not that of its data"
    ]


def test_links_and_stories_are_compared_across_partitions(tmp_path: Path) -> None:
    values = whole(3)
    event = example(router.CaseProgressed).model_copy(update={"case_id": CASE, "version": 2, "previous_hash": "f" * 64})
    assert isinstance(event, router.CaseProgressed)
    alien = seal(event)[0]

    unlinked = Story(tmp_path, [record(values[0], 0, 0), record(alien, 0, 1)])
    second = Story(tmp_path, [*(record(value, offset, 0) for offset, value in enumerate(values)), record(alien, 0, 1)])

    assert unlinked.problems == ["version 2: its previous_hash is not the hash of the event before it"]
    assert second.problems == ["two different events have version 2"]


@pytest.mark.parametrize("member", sorted(orjson.loads(whole(1)[0])))
def test_a_renamed_member_is_found(tmp_path: Path, member: str) -> None:
    values = whole(3)
    renamed = f'"{member[:-1]}_":'.encode().join(values[1].rsplit(f'"{member}":'.encode(), 1))

    assert str(told(tmp_path, [values[0], renamed, values[2]]).findings.listed[0].spot) == "case.events/0@1"


def test_a_reader_that_may_hold_few_cases_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CASES_MAX", 0)
    values = whole(6)

    assert told(tmp_path, [*values, values[2]]).duplicates == 1
    assert told(tmp_path, values[:2] + values[3:]).problems == ["version 3 missing before it"]


def test_what_is_no_event_is_found(tmp_path: Path) -> None:
    broken = [b"no JSON", b"[]", b"{}", b'{"case_id":7,"cause":{"id":"x","type":"y"}}', b"\xff", None]
    wrong_version = changed(whole(1)[0], version="one")

    story = Story(tmp_path, [record(value, offset) for offset, value in enumerate([*broken, wrong_version])])

    assert story.problems == ["not an event of a case"] * 7


def test_an_event_under_a_foreign_key_is_found(tmp_path: Path) -> None:
    (value,) = whole(1)
    foreign = changed(value, case_id="7f1c1c1e-6a53-4d0e-9d0c-1f6a5c3d8a11")

    assert "its key is not its case" in told(tmp_path, [foreign]).problems


def test_a_hash_is_checked_in_any_form_of_the_data() -> None:
    (value,) = whole(1)
    foreign = orjson.dumps(dict(reversed(orjson.loads(value).items())), option=orjson.OPT_INDENT_2)

    assert holds(value)
    assert holds(foreign)
    assert verify_hash(foreign)
    assert not holds(foreign.replace(b"progressed", b"regressed").replace(ZERO_HASH.encode(), b"1" * 64))
