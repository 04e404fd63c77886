"""What does one process read, and what does it leave behind?

A part is some partitions of some topics from one offset to another. What is read becomes counts, findings and facts in
sorted runs; no process holds more than its sorters and the segments of ``journal.CASES_MAX`` cases.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException

from services.cli.audit.doors import Door, Place
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.journal import CHECK, Journal, identity, is_moment
from services.cli.audit.promises import CLOCK
from services.cli.audit.runs import Sorter
from services.cli.audit.snapshots import take_snapshot
from services.cli.reading import Record, header, reader, records_until
from services.runtime.records import Record as Plain
from services.runtime.settings import Settings

NICENESS = 10
"""How far the readers stand back behind the services of the same machine."""
FETCHED_MAX = 20_000
"""Records that one fetch may have brought."""
_CLOCKS = "caseloop.clock."


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a partition, topics named without prefix."""

    topic: str
    partition: int
    begin: int
    end: int

    @property
    def records(self) -> int:
        """Return how many offsets it has."""
        return max(self.end - self.begin, 0)


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to read, and what it must know for that."""

    settings: Settings
    folder: Path
    name: str
    stretches: Sequence[Stretch]
    parked_by_intake: Mapping[Place, str]
    parked_by_router: Mapping[Place, str]
    reached: Mapping[tuple[str, int], int]


@dataclass(slots=True)
class Part:
    """What it left behind."""

    findings: Findings = field(default_factory=Findings)
    endings: Counter[str] = field(default_factory=Counter)
    oldest_ms: int | None = None
    events: int = 0
    duplicates: int = 0
    case_runs: list[Path] = field(default_factory=list)
    event_runs: list[Path] = field(default_factory=list)
    contact_runs: list[Path] = field(default_factory=list)


Taking: TypeAlias = Callable[[Sequence[Record]], None]
Progress: TypeAlias = Callable[[int], None]


class _Reading:
    """One process at work."""

    def __init__(self, order: Order, progress: Progress) -> None:
        self.order = order
        self.progress = progress
        self.findings = Findings()
        self.cases, self.events, self.contacts = (
            Sorter(order.folder, f"{order.name}-{what}") for what in ("cases", "events", "contacts")
        )
        self.door = Door(
            self.events,
            self.contacts,
            self.findings,
            order.parked_by_intake,
            order.parked_by_router,
            order.reached,
        )
        self.journals: dict[int, Journal] = {}

    def taking(self, stretch: Stretch) -> Taking:
        """Return what is done with the records of this stretch."""
        match stretch.topic:
            case "case.events":
                journal = Journal(stretch.partition, self.cases, self.contacts, self.findings)
                self.journals[stretch.partition] = journal
                return journal.take
            case "case.snapshots":
                return self._snapshots
            case "followups":
                return self._clocks
            case "contacts":
                return self._contacts
            case _:
                return self._channel_events

    def part(self) -> Part:
        """Write what is held and return what was found."""
        for journal in self.journals.values():
            journal.close()
        for sorter in (self.cases, self.events, self.contacts):
            sorter.close()
        return Part(
            findings=self.findings,
            endings=self.door.endings,
            oldest_ms=self.door.oldest_ms,
            events=sum(journal.events for journal in self.journals.values()),
            duplicates=sum(journal.duplicates for journal in self.journals.values()),
            case_runs=self.cases.runs,
            event_runs=self.events.runs,
            contact_runs=self.contacts.runs,
        )

    def _channel_events(self, records: Sequence[Record]) -> None:
        for record in records:
            self.door.take_channel_event(plain(record, self.order.settings.topic_prefix))

    def _contacts(self, records: Sequence[Record]) -> None:
        for record in records:
            self.door.take_contact(plain(record, self.order.settings.topic_prefix))

    def _snapshots(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.value is not None and not take_snapshot(record, self.cases):
                spot = Spot("case.snapshots", record.partition, record.offset)
                advice = "only the router may write here; the next change of the case tells its state again"
                self.findings.add(Finding("snapshot", str(spot), "not the state of a case", advice, spot=spot))

    def _clocks(self, records: Sequence[Record]) -> None:
        for record in records:
            kind = header(record, "ce_type") or ""
            if not kind.startswith(_CLOCKS):
                continue
            step = kind.removeprefix(_CLOCKS).removesuffix(".v1")
            try:
                data = orjson.loads(record.value or b"")
                told = (step, str(data["clock_id"]), str(data.get("promise_id", "")), _due_at(data))
                self.cases.add(identity(data["case_id"]), (CLOCK, record.partition, record.offset, *told))
            except (ValueError, KeyError, TypeError, AttributeError):
                spot = Spot("followups", record.partition, record.offset)
                advice = "only followup may write here"
                self.findings.add(Finding(CLOCK, str(spot), "not a step of a clock", advice, spot=spot))


def _due_at(data: dict[str, Any]) -> str:
    """Return towards which moment a clock runs, empty when towards none; ``ValueError`` when that is no moment."""
    text = str(data.get("due_at", ""))
    if text and not is_moment(text):
        raise ValueError(text)
    return text


def plain(record: Record, prefix: str) -> Plain:
    """Return the record as the runtime sees it."""
    return Plain(
        record.topic.removeprefix(prefix),
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )


async def read(order: Order, progress: Progress) -> Part:
    """Read these stretches and return what was found."""
    reading = _Reading(order, progress)
    stretches = {_place(order, stretch): stretch for stretch in order.stretches if stretch.records > 0}
    taking = {place: reading.taking(stretch) for place, stretch in stretches.items()}
    places = {place: stretch.begin for place, stretch in stretches.items()}
    if places and not await _through(reading, stretches, taking, places, checked=True):
        await _through(reading, stretches, taking, places, checked=False)
    return reading.part()


async def _through(
    reading: _Reading,
    stretches: Mapping[TopicPartition, Stretch],
    taking: Mapping[TopicPartition, Taking],
    places: dict[TopicPartition, int],
    *,
    checked: bool,
) -> bool:
    """Go through all records from these places, and return whether the brokers' own checksums held.

    Where one does not, the rest is read without them, so that the hashes of the journal name the very event.
    """
    topics = {stretch.topic for stretch in stretches.values()}
    async with reader(reading.order.settings, sorted(topics), check_crcs=checked) as consumer:
        consumer.assign(list(stretches))
        for place, offset in places.items():
            consumer.seek(place, offset)
        try:
            async for records in records_until(consumer, {place: each.end for place, each in stretches.items()}):
                place = TopicPartition(records[0].topic, records[0].partition)
                taking[place](records)
                places[place] = records[-1].offset + 1
                reading.progress(len(records))
        except CorruptRecordException:
            for place, offset in await _corrupt(consumer, stretches, places):
                _report_corrupt(reading, place, offset)
            return False
    return True


async def _corrupt(
    consumer: AIOKafkaConsumer, stretches: Mapping[TopicPartition, Stretch], places: Mapping[TopicPartition, int]
) -> list[tuple[TopicPartition, int]]:
    """Return the partitions that cannot be read on, and where.

    A consumer does not say which batch it refused; it lies within what one fetch brought.
    """
    corrupt = []
    for place in list(places):
        consumer.assign([place])
        consumer.seek(place, places[place])
        at = places[place]
        try:
            for _ in range(FETCHED_MAX):
                if at >= stretches[place].end:
                    break
                at = (await consumer.getone()).offset + 1
        except CorruptRecordException:
            corrupt.append((place, at))
    return corrupt


def _report_corrupt(reading: _Reading, place: TopicPartition, offset: int) -> None:
    topic = place.topic.removeprefix(reading.order.settings.topic_prefix)
    spot = Spot(topic, place.partition, offset)
    problem = "the batch from here on does not match its checksum: bytes changed on the broker's disk"
    advice = "look at the disk of the broker that leads this partition; what the journal's hashes say of it follows"
    reading.findings.add(Finding(CHECK, str(spot), problem, advice, spot=spot))


def _place(order: Order, stretch: Stretch) -> TopicPartition:
    return TopicPartition(order.settings.topic_prefix + stretch.topic, stretch.partition)


def stand_back() -> None:
    """Let the services of this machine go first."""
    os.nice(NICENESS)


def read_apart(order: Order, progress: Progress) -> Part:
    """Read in a process of its own."""
    return asyncio.run(read(order, progress))
