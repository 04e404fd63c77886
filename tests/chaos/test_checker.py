"""Does the checker find everything that can be wrong with a history, by its right name, and nothing where all is well?

A real run is recorded in ``example.json.gz`` (``python -m tests.support.history`` makes it anew); each test breaks it
at every place where it can be broken.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.router import verify_hash
from contracts.topics import TOPICS
from tests.support.history import Bounds, History, Kind, Parked, Record, Waiting, judge
from tests.support.history.files import load, save
from tests.support.history.model import ordered

BREACHED = {"caseloop.clock.breached.v1", "caseloop.promise.breached.v1"}
EXAMPLE = load(Path(__file__).with_name("example.json.gz"))
OURS = [record for record in EXAMPLE.records if record.source.startswith("caseloop/")]
JOURNAL = [record for record in EXAMPLE.records if record.topic == "case.events"]
PLACES = range(len(EXAMPLE.records))
HANDLES = ("clock_id", "callback_id", "survey_id", "delivery_id")


def kinds(history: History) -> set[Kind]:
    return set(judge(history).kinds())


def with_records(records: Sequence[Record], **others: Any) -> History:  # noqa: ANN401 - fields of a history
    return replace(EXAMPLE, records=ordered(records), **others)


def without(record: Record) -> History:
    """The record was never written: what came later moved up, and the readers never saw it."""
    place = (record.topic, record.partition)
    moved = [
        replace(each, offset=each.offset - 1)
        if (each.topic, each.partition) == place and each.offset > record.offset
        else each
        for each in EXAMPLE.records
        if each is not record
    ]
    first, following = EXAMPLE.ends[place]
    marks = {key: mark - 1 if key[1:] == place and mark > record.offset else mark for key, mark in marks_of().items()}
    tables = replace(EXAMPLE.tables, marks=marks)
    return with_records(moved, ends={**EXAMPLE.ends, place: (first, following - 1)}, tables=tables)


def marks_of() -> dict[tuple[str, str, int], int]:
    return dict(EXAMPLE.tables.marks)


def added(record: Record) -> History:
    """One more record at the end of its partition, read by all."""
    place = (record.topic, record.partition)
    first, following = EXAMPLE.ends[place]
    marks = {key: mark + 1 if key[1:] == place else mark for key, mark in marks_of().items()}
    return with_records(
        [*EXAMPLE.records, replace(record, offset=following)],
        ends={**EXAMPLE.ends, place: (first, following + 1)},
        tables=replace(EXAMPLE.tables, marks=marks),
    )


def said(record: Record, **changed: object) -> Record:
    """The same record with other data."""
    return replace(record, value=orjson.dumps({**record.data, **changed}))


def instead(record: Record, *others: Record) -> History:
    return with_records([each for each in EXAMPLE.records if each is not record] + list(others))


def neighbours(topics: Sequence[str], handle: Callable[[Record], object]) -> Iterator[tuple[Record, Record]]:
    """Records that follow each other about the same thing on one partition."""
    stories: defaultdict[object, list[Record]] = defaultdict(list)
    for record in EXAMPLE.records:
        if record.topic in topics:
            stories[record.partition, handle(record)].append(record)
    for story in stories.values():
        yield from pairwise(story)


def swapped(one: Record, other: Record) -> History:
    others = [each for each in EXAMPLE.records if each is not one and each is not other]
    return with_records([*others, replace(one, offset=other.offset), replace(other, offset=one.offset)])


def test_what_really_happened_is_in_order() -> None:
    assert judge(EXAMPLE).findings == []
    assert judge(EXAMPLE).repeats == 1, "one event was sent twice"
    assert {record.topic for record in EXAMPLE.records} >= {"followups", "notifications", "channel.receipts"}


def test_a_history_survives_a_file(tmp_path: Path) -> None:
    save(EXAMPLE, tmp_path / "history")
    assert load(tmp_path / "history") == EXAMPLE


def test_a_record_that_was_never_written_is_missed() -> None:
    repeated = [record for record in EXAMPLE.records if record.id == "e-m-a-0"]
    assert len(repeated) == 2
    for record in EXAMPLE.records:
        expected: set[Kind] = set() if record in repeated else {"lost", "gapped"}
        found = kinds(without(record))
        assert bool(found & expected) == bool(expected), f"{record.where}: {found}"


def test_a_record_that_was_not_read_is_missed() -> None:
    for record in EXAMPLE.records:
        if not TOPICS[record.topic].compacted:
            assert "skipped" in kinds(instead(record)), record.where


def test_a_version_that_never_came_is_a_gap() -> None:
    last = {record.key: record for record in JOURNAL}
    for record in JOURNAL:
        assert ("gapped" in kinds(without(record))) == (record is not last[record.key]), record.where


def test_a_story_that_was_cut_off_is_a_loss() -> None:
    for record in {each.key: each for each in JOURNAL}.values():
        assert "lost" in kinds(without(record))


def test_a_second_effect_of_one_cause_is_found() -> None:
    for record in OURS:
        if not TOPICS[record.topic].compacted:
            again = replace(record, id=f"another-{record.id}")
            if record.topic == "case.events":
                again = said(again, version=max(int(e.data["version"]) for e in JOURNAL if e.key == record.key) + 1)
            assert "doubled" in kinds(added(again)), record.where


def test_two_stories_of_one_version_are_found() -> None:
    for record in JOURNAL:
        assert "doubled" in kinds(added(said(record, occurred_at="2026-01-01T00:00:00Z"))), record.where


def test_a_second_message_to_a_customer_is_found() -> None:
    for accepted in EXAMPLE.accepted:
        for again in (accepted, replace(accepted, reference="another")):
            assert "doubled" in kinds(replace(EXAMPLE, accepted=[*EXAMPLE.accepted, again]))


def test_what_is_repeated_byte_for_byte_is_no_second_effect() -> None:
    for record in OURS:
        verdict = judge(added(record))
        assert not verdict.findings, f"{record.where}: {verdict}"
        assert verdict.repeats == 2


def test_events_of_a_case_in_wrong_order_are_found() -> None:
    for one, other in neighbours(["case.events"], lambda record: record.key):
        assert "reordered" in kinds(swapped(one, other)), one.where


def test_steps_in_wrong_order_are_found() -> None:
    def handle(record: Record) -> object:
        return next((record.data[name] for name in HANDLES if name in record.data), record.id)

    pairs = list(neighbours(["followups", "notifications"], handle))
    assert len(pairs) > 15
    for one, other in pairs:
        assert "reordered" in kinds(swapped(one, other)), one.where


def test_answers_in_wrong_order_are_found() -> None:
    def conversation(record: Record) -> object:
        return record.key, record.kind

    pairs = list(neighbours(["contacts"], conversation))
    assert len(pairs) >= 3
    for one, other in pairs:
        assert kinds(swapped(one, other)) == {"reordered"}, one.where


def test_a_forged_event_is_found() -> None:
    for record in JOURNAL:
        other = record.data["hash"][::-1]
        assert "forged" in kinds(instead(record, said(record, hash=other))), record.where
        assert "forged" in kinds(instead(record, said(record, case_number="C000000-00000-00"))), record.where
        assert "forged" in kinds(instead(record, replace(record, key="another"))), record.where
    assert verify_hash(JOURNAL[0].value)


def test_a_timer_before_its_time_is_found() -> None:
    fired = [record for record in EXAMPLE.records if record.kind in BREACHED]
    assert len(fired) == 2
    for record in fired:
        assert "early" in kinds(instead(record, said(record, occurred_at="2026-01-01T00:00:00Z")))
        assert "early" in kinds(instead(record, replace(record, timestamp_ms=record.timestamp_ms - 60_000)))
        assert "late" in kinds(instead(record, replace(record, timestamp_ms=record.timestamp_ms + 60_000)))


def test_what_was_due_before_its_case_was_there_is_not_late() -> None:
    """A conversation goes on for minutes before it becomes a case; its greeting was due in its first seconds."""
    for fired in [record for record in EXAMPLE.records if record.kind in BREACHED]:
        later = replace(fired, timestamp_ms=fired.timestamp_ms + 60_000)
        records = [
            replace(record, timestamp_ms=later.timestamp_ms - 1)
            if record.kind == "caseloop.case.opened.v1" and record.key == fired.key
            else record
            for record in instead(fired, later).records
        ]
        assert "late" not in kinds(replace(EXAMPLE, records=records))


def test_a_warning_before_its_time_is_found() -> None:
    for record in EXAMPLE.records:
        if record.kind == "caseloop.clock.warned.v1":
            longer = said(record, target_seconds=record.data["target_seconds"] + 1000)
            assert "early" in kinds(instead(record, longer))


def test_a_timer_that_never_fired_is_a_loss() -> None:
    silent = with_records(
        [each for each in EXAMPLE.records if each.kind not in BREACHED], ended_at=EXAMPLE.ended_at + 10
    )
    assert any("its time has passed" in finding.problem for finding in judge(silent).findings)


@pytest.mark.parametrize("end", [{}, {"occurred_at": "2026-11-02T09:29:59Z", "outcome": "expired"}])
def test_offers_end_once_and_not_before_their_time(end: dict[str, object]) -> None:
    offer = said(JOURNAL[0], offer_id="o", expires_at="2026-11-02T09:30:00Z", state="offered")
    offer = replace(offer, kind="caseloop.case.offered.v1", key="c", id="offer")
    ended = [replace(said(offer, **end), kind="caseloop.case.offer_ended.v1", id=name) for name in "ab"] if end else []
    assert kinds(with_records([*EXAMPLE.records, offer, *ended])) >= ({"doubled", "early"} if end else {"stuck"})


def test_what_nobody_has_read_is_found() -> None:
    for key, mark in EXAMPLE.tables.marks.items():
        if mark:
            tables = replace(EXAMPLE.tables, marks={**EXAMPLE.tables.marks, key: mark - 1})
            assert "unseen" in kinds(replace(EXAMPLE, tables=tables)), key


def test_what_a_reader_passed_over_is_found() -> None:
    for service in ("followup", "desk"):
        for case_id, version in EXAMPLE.tables.versions[service].items():
            versions = {**EXAMPLE.tables.versions, service: {**EXAMPLE.tables.versions[service], case_id: version - 1}}
            assert kinds(replace(EXAMPLE, tables=replace(EXAMPLE.tables, versions=versions))) == {"skipped"}
    for delivery in EXAMPLE.tables.deliveries:
        others = [each for each in EXAMPLE.tables.deliveries if each is not delivery]
        milestone = any(r.id == delivery.cause_id and r.kind.split(".")[2] == "milestone_reached" for r in JOURNAL)
        found = kinds(replace(EXAMPLE, tables=replace(EXAMPLE.tables, deliveries=others)))
        assert ("skipped" in found) == milestone


def test_a_commit_that_the_owner_forgot_is_a_loss() -> None:
    for case_id, version in EXAMPLE.tables.versions["router"].items():
        versions = {**EXAMPLE.tables.versions, "router": {**EXAMPLE.tables.versions["router"], case_id: version - 1}}
        assert "lost" in kinds(replace(EXAMPLE, tables=replace(EXAMPLE.tables, versions=versions)))


def test_a_message_that_the_provider_never_got_is_a_loss() -> None:
    for accepted in EXAMPLE.accepted:
        others = [each for each in EXAMPLE.accepted if each is not accepted]
        assert kinds(replace(EXAMPLE, accepted=others)) == {"lost"}


def test_what_waits_for_ever_is_stuck() -> None:
    for tables in (
        replace(EXAMPLE.tables, waiting=[Waiting("router", "timer", "t", EXAMPLE.ended_at - 1)]),
        replace(EXAMPLE.tables, parked=[Parked("router", "contacts", 0, 10**6, "retry", "conflict")]),
    ):
        assert kinds(replace(EXAMPLE, tables=tables)) == {"stuck"}
    assert judge(EXAMPLE, Bounds(parked=1)).findings == []


@pytest.mark.parametrize(
    ("status", "found"), [(None, {"lost"}), ("retried", {"lost"}), ("retry", {"stuck"}), ("discarded", set())]
)
def test_what_left_the_lot_to_be_handled_must_have_its_effect(status: str | None, found: set[Kind]) -> None:
    command = next(each for each in EXAMPLE.records if each.topic == "case.commands")
    unanswered = replace(command, id="nobody-heard")
    history = added(unanswered)
    offset = history.ends[command.topic, command.partition][1] - 1
    lot = [Parked("router", command.topic, command.partition, offset, status, "conflict")] if status else []
    assert kinds(replace(history, tables=replace(history.tables, parked=lot))) == found


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(list(PLACES)), min_size=1, max_size=8))
def test_several_losses_at_once_hide_none(places: set[int]) -> None:
    gone = {id(EXAMPLE.records[place]) for place in places}
    assert kinds(with_records([each for each in EXAMPLE.records if id(each) not in gone])) & {"skipped", "lost"}
