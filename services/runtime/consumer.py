"""Which records of a poll are new to us, and where must reading go back to?

The consumer remembers the mark of every partition it owns. A partition is adopted after each assignment and after each
doubt (a lost connection, another owner ahead): its mark is read from PostgreSQL and the log is read from there.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.runtime import metrics, missed, offsets
from services.runtime.clock import Clock
from services.runtime.crashing import crash_point
from services.runtime.database import Pool
from services.runtime.endings import Tally
from services.runtime.envelope import Opener
from services.runtime.failures import needing_postgres
from services.runtime.logs import Log
from services.runtime.offsets import Stretch, Stretches
from services.runtime.pieces import Entry
from services.runtime.processing import ACQUIRE_SECONDS, Processing
from services.runtime.records import Partition, Record, Slice


@dataclass(frozen=True, slots=True)
class Settled:
    """How a poll ended: how many records how, and where reading must go back to."""

    tally: Tally
    seek: Mapping[Partition, int]


@dataclass(slots=True)
class Consumer:
    """Settles polls of one service; knows nothing of Kafka clients."""

    processing: Processing
    pool: Pool
    clock: Clock
    open_record: Opener
    log: Log
    keep: timedelta = timedelta(days=90)
    """How long the inbox remembers: an outsider's older event is refused."""
    bytes_max: int = 8_388_608
    """Bytes of one transaction."""
    _marks: dict[Partition, int] = field(default_factory=dict)
    _proven: set[Partition] = field(default_factory=set)
    """Partitions whose next slice surely was read from the mark on."""
    _adopting: set[Partition] = field(default_factory=set)
    """Partitions whose marks are just being read."""
    _asked: dict[Partition, int] = field(default_factory=dict)
    """The marks as they were when it was asked last which of them stand."""
    _missed_to: dict[Partition, int] = field(default_factory=dict)
    """Up to where it was told that records are gone: a hole is met at the adoption and by the slice behind it."""

    @property
    def marks(self) -> Mapping[Partition, int]:
        """Return the remembered marks, for Kafka's own bookkeeping of lag."""
        return self._marks

    async def unmet(self, topics: Collection[str]) -> set[str]:
        """Return those of the topics that this group has never read."""
        with needing_postgres():
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                return set(topics) - await offsets.met(connection, topics)

    async def adopt(
        self, places: Iterable[Partition], beginnings: Mapping[Partition, int] | None = None
    ) -> Mapping[Partition, int]:
        """Read the marks of partitions that are ours now, and return where to read from.

        ``beginnings`` say where every partition of a topic begins that is unmet. What is taken away meanwhile is left
        out: its mark would stand still and seem to miss what another reads.
        """
        self._adopting = set(places)
        if not self._adopting:
            return {}
        with needing_postgres():
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
                found = await offsets.load(connection, self._adopting, beginnings or {})
        marks = {place: mark for place, mark in found.items() if place in self._adopting}
        self._marks.update(marks)
        self._proven.difference_update(marks)
        return marks

    async def miss(self, marks: Mapping[Partition, int], beginnings: Mapping[Partition, int]) -> None:
        """Keep and tell what was deleted between these marks and where the logs begin now."""
        stretches = missed.gone(marks, beginnings)
        if not stretches:
            return
        with needing_postgres():
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                await missed.note(connection, stretches, self.clock.now())
        for (topic, partition), (first, beginning) in stretches.items():
            known = self._missed_to.get((topic, partition), first)
            if known < beginning:
                self._missed_to[topic, partition] = beginning
                metrics.MISSED.labels(topic).inc(beginning - known)
                self.log.error("records_missed", topic=topic, partition=partition, first=first, beginning=beginning)

    def standing(self) -> Mapping[Partition, int]:
        """Return the marks that have not moved since this was asked last.

        Of a partition that moves, records that the brokers have just deleted may be in the client's hands: they will
        be read, and a hole behind them is met by the slice that follows.
        """
        asked, self._asked = self._asked, dict(self._marks)
        return {place: mark for place, mark in self._marks.items() if asked.get(place) == mark}

    def holes(self, slices: Sequence[Slice]) -> Mapping[Partition, int]:
        """Return the marks of those partitions whose slice begins later: something may have been deleted."""
        return {each.place: mark for each in slices if (mark := self._marks.get(each.place, each.first)) < each.first}

    def forget(self, places: Iterable[Partition]) -> None:
        """Trust nothing about these partitions until they are adopted again."""
        for place in places:
            self._adopting.discard(place)
            self._marks.pop(place, None)
            self._proven.discard(place)

    async def settle(self, slices: Sequence[Slice]) -> Settled:
        """Give every record of adopted partitions its ending.

        Raises what :meth:`Processing.settle` raises; the caller then forgets and adopts the partitions again.
        """
        seek: dict[Partition, int] = {}
        trusted = [each for each in slices if self._is_trusted(each, seek)]
        marks = {each.place: self._marks[each.place] for each in trusted}
        tally = Tally()
        oldest = self.clock.now() - self.keep
        for portion in _portions(trusted, self.bytes_max):
            stretches = [
                Stretch(
                    each.topic,
                    each.partition,
                    marks[each.place],
                    each.next_offset,
                    [Entry(record, self.open_record(record, oldest)) for record in each.records],
                )
                for each in portion
            ]
            crash_point("after_validate")
            tally.add(await self.processing.settle(Stretches(stretches, self._moved)))
            marks.update((each.place, each.next_offset) for each in portion)
        return Settled(tally, seek)

    def _moved(self, place: Partition, mark: int) -> None:
        """Remember a mark, unless the partition was taken from us meanwhile."""
        if place in self._marks:
            self._marks[place] = mark

    def _is_trusted(self, each: Slice, seek: dict[Partition, int]) -> bool:
        """Tell whether a slice goes on where we are.

        The first slice after an adoption may have been fetched before the seek, which would bring it again. So it is
        followed by a seek that nothing overtakes since nobody polls before this poll is done with: behind it if it
        begins at the mark, else it is dropped and read once more from the mark. What comes then is right even if it
        begins later: logs have holes and beginnings.
        """
        mark = self._marks.get(each.place)
        if mark is None:
            return False
        if each.place not in self._proven:
            self._proven.add(each.place)
            seek[each.place] = each.next_offset if each.first == mark else mark
            return each.first == mark
        if each.first < mark:
            self.log.error("log_restarted", topic=each.topic, partition=each.partition, mark=mark, first=each.first)
        return True


def _portions(slices: Sequence[Slice], bytes_max: int) -> Iterator[list[Slice]]:
    """Cut a poll so that no transaction holds much more than these bytes; nearly always it is one portion."""
    portion: list[Slice] = []
    size = 0
    for each in slices:
        begin = 0
        for position, record in enumerate(each.records):
            if size and size + record.size > bytes_max:
                portion.extend(_cut(each, begin, position))
                yield portion
                portion, size, begin = [], 0, position
            size += record.size
        portion.extend(_cut(each, begin, len(each.records)))
    if portion:
        yield portion


def _cut(each: Slice, begin: int, end: int) -> list[Slice]:
    records: Sequence[Record] = each.records[begin:end]
    return [Slice(each.topic, each.partition, records)] if records else []
