"""Up to which record has each partition been settled, and who may move that mark?

PostgreSQL is the authority. The mark is compared with the value that this process remembers, never with the offset of
the first record (logs have holes): whoever finds another value has been overtaken by another owner and must stop.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime import parking
from services.runtime.database import Connection
from services.runtime.pieces import Claimed, Entry, Park, Piece, halves
from services.runtime.records import Partition
from services.runtime.timers import Firing

ADVANCE = """
-- offsets.advance: compare-and-set of all marks of one poll, and whether any record waits for its retry
WITH moved AS (
    UPDATE koff SET next_offset = moves.next_offset
    FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[])
        AS moves (topic, partition, remembered, next_offset)
    WHERE koff.topic = moves.topic AND koff.partition = moves.partition AND koff.next_offset = moves.remembered
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved) AS moved, EXISTS (SELECT FROM parked WHERE status = 'retry') AS waiting
"""

MEET = """
-- offsets.meet: partitions that a group meets for the first time, and from where on they are its to read
INSERT INTO koff (topic, partition, next_offset)
SELECT topic, partition, next_offset
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS p (topic, partition, next_offset)
ORDER BY topic, partition
ON CONFLICT DO NOTHING
"""

MET = """
-- offsets.met: of which of these topics has this group met a partition?
SELECT DISTINCT topic FROM koff WHERE topic = ANY ($1::text[])
"""

LOAD = """
-- offsets.load: where reading goes on
SELECT koff.topic, koff.partition, koff.next_offset FROM koff
JOIN unnest($1::text[], $2::integer[]) AS p (topic, partition) USING (topic, partition)
"""


MARKS = """
-- offsets.marks: where reading goes on, for whoever looks from outside
SELECT topic, partition, next_offset FROM koff
"""


class FencedError(Exception):
    """Another owner of the partition is ahead: drop what is in hand and read the marks again."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive records of one partition, and where the mark stands before and after them."""

    topic: str
    partition: int
    remembered: int
    next_offset: int
    entries: Sequence[Entry]

    def halves(self) -> "tuple[Stretch, Stretch]":
        """Cut into two stretches that follow each other."""
        first, second = halves(self.entries)
        border = first[-1].record.offset + 1
        return (
            Stretch(self.topic, self.partition, self.remembered, border, first),
            Stretch(self.topic, self.partition, border, self.next_offset, second),
        )


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretches of one poll, settled together."""

    stretches: Sequence[Stretch]
    moved: Callable[[Partition, int], None]
    """Told after the commit where a mark stands now."""
    name: str = "records"
    firing: Firing | None = None

    async def claim(self, connection: Connection, now: datetime) -> Claimed:  # noqa: ARG002 - a mark has no time
        """Move the marks, or raise :class:`FencedError`."""
        row = await connection.fetchrow(
            ADVANCE,
            [stretch.topic for stretch in self.stretches],
            [stretch.partition for stretch in self.stretches],
            [stretch.remembered for stretch in self.stretches],
            [stretch.next_offset for stretch in self.stretches],
        )
        if row is None or row["moved"] != len(self.stretches):
            raise FencedError
        return Claimed([entry for stretch in self.stretches for entry in stretch.entries], row["waiting"])

    async def finish(
        self,
        connection: Connection,
        handled: Sequence[Entry],  # noqa: ARG002 - the mark says it
        idle: Sequence[Entry],  # noqa: ARG002 - nobody asked for them
        parks: Sequence[Park],
        now: datetime,
    ) -> None:
        """Park what did not end well."""
        if parks:
            await parking.park(connection, parks, now)

    def settled(self) -> None:
        """Tell where the marks stand now."""
        for stretch in self.stretches:
            self.moved((stretch.topic, stretch.partition), stretch.next_offset)

    def parts(self) -> Sequence[Piece]:
        """Cut by partition first, then in halves."""
        if len(self.stretches) > 1:
            return [Stretches([stretch], self.moved) for stretch in self.stretches]
        if len(self.stretches[0].entries) > 1:
            return [Stretches([half], self.moved) for half in self.stretches[0].halves()]
        return ()


async def load(
    connection: Connection, places: Iterable[Partition], beginnings: Mapping[Partition, int]
) -> Mapping[Partition, int]:
    """Return the marks of these partitions.

    ``beginnings`` say where every partition of a topic begins that this group reads for the first time: what was
    deleted before was none of its business. One that it meets later came later, and is its own from offset 0.
    """
    first = dict.fromkeys(places, 0)
    if not first:  # taken away while a connection was waited for
        return {}
    met = {**first, **beginnings}
    await connection.execute(MEET, *zip(*((topic, part, mark) for (topic, part), mark in met.items()), strict=True))
    rows = await connection.fetch(LOAD, *zip(*first, strict=True))
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def met(connection: Connection, topics: Collection[str]) -> set[str]:
    """Return of which of these topics the group has met a partition."""
    return {row["topic"] for row in await connection.fetch(MET, list(topics))}


async def marks(connection: Connection) -> dict[Partition, int]:
    """Return the marks of all partitions that this group has met."""
    return {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(MARKS)}
