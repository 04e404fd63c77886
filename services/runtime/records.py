"""What does a Kafka record look like inside the runtime: untouched bytes, and where they lay?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Partition = tuple[str, int]
"""Topic (without the deployment's prefix) and partition."""


class Record(NamedTuple):
    """One record as the broker gave it, so that it can be parked byte for byte; a tuple, since there are so many."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def size(self) -> int:
        """Return the bytes of key and value, near enough to bound a transaction."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of one partition in one poll, in order."""

    topic: str
    partition: int
    records: Sequence[Record]

    @property
    def place(self) -> Partition:
        """Return topic and partition."""
        return self.topic, self.partition

    @property
    def first(self) -> int:
        """Return the offset of the first record."""
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        """Return the offset after the last record."""
        return self.records[-1].offset + 1
