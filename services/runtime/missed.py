"""What did the brokers delete before we had read it, and who gets to know?

Retention or an administrator may cut a log away under a reader that was behind. Kafka's client then goes on at the new
beginning without a word. What was missed cannot be read any more, so it is kept as a fact, counted, logged and warned
of until it is old: whoever sent it must send it again (I13).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.database import Connection, Pool
from services.runtime.records import Partition

WARNED_FOR = timedelta(days=7)

NOTE = """
-- missed.note: a stretch that was gone when we came to it; noticed again it may have grown
INSERT INTO missed (topic, partition, first_offset, next_offset, noticed_at)
SELECT topic, partition, first_offset, next_offset, $5
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) AS gone (topic, partition, first_offset, next_offset)
ORDER BY topic, partition
ON CONFLICT (topic, partition, first_offset) DO UPDATE SET next_offset = excluded.next_offset
WHERE missed.next_offset < excluded.next_offset
"""

LATELY = """
-- missed.lately: how many records of which topic
SELECT topic, sum(next_offset - first_offset)::bigint AS records, min(noticed_at) AS since FROM missed
WHERE noticed_at > $1 GROUP BY topic ORDER BY topic
"""


@dataclass(frozen=True, slots=True)
class Missed:
    """Records of one topic that were deleted before they were read."""

    topic: str
    records: int
    since: datetime


def gone(marks: Mapping[Partition, int], beginnings: Mapping[Partition, int]) -> dict[Partition, tuple[int, int]]:
    """Return the stretches between where we are and where the log now begins.

    A new group has no claim on what was deleted before it came: its marks begin where the logs then began.
    """
    return {place: (mark, beginnings[place]) for place, mark in marks.items() if mark < beginnings.get(place, mark)}


async def note(connection: Connection, stretches: Mapping[Partition, tuple[int, int]], now: datetime) -> None:
    """Keep these; a stretch that is known already changes nothing."""
    places = list(stretches)
    await connection.execute(
        NOTE,
        [topic for topic, _ in places],
        [partition for _, partition in places],
        [stretches[place][0] for place in places],
        [stretches[place][1] for place in places],
        now,
    )


async def lately(connection: Connection | Pool, now: datetime) -> list[Missed]:
    """Return what was missed in the last days, by topic."""
    return [Missed(**row) for row in await connection.fetch(LATELY, now - WARNED_FOR)]


def missed_warning(missed: Iterable[Missed]) -> str | None:
    """Return a warning that says what is gone, when anything is."""
    words = [f"{each.records} of {each.topic} (noticed {each.since:%Y-%m-%d %H:%M} UTC)" for each in missed]
    if not words:
        return None
    return f"records were deleted before they were read: {', '.join(words)}; have them sent again"
