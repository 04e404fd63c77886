"""Which rows of the outbox has this process just written, so that its relay need not read their bytes again?

Which rows there are, and in which order they go, is what PostgreSQL says; only the frames of a row come from here. A
row that another has worked on, or that is not known here, is read.
"""

from collections.abc import Collection, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from services.runtime.frames import Frame, size_of

BYTES_MAX = 8_388_608
"""While the brokers take nothing rows pile up: beyond this they are read again when their time has come."""


class Row(NamedTuple):
    """What one row of the outbox says."""

    bucket: int
    frames: list[Frame]
    size: int
    """Bytes of memory."""


def row_of(bucket: int, frames: list[Frame]) -> Row:
    """Return a row that says this, measured."""
    return Row(bucket, frames, size_of(frames))


STORED: ContextVar[dict[int, Row] | None] = ContextVar("stored", default=None)
"""The rows that the transaction of this task has written, by id; whoever begins one empties it."""


@dataclass(slots=True)
class Fresh:
    """Rows that this process has committed and its relay has not taken yet."""

    buckets: Collection[int] = ()
    """The buckets that this relay leases: nobody here takes what is in the others."""
    _rows: dict[int, Row] = field(default_factory=dict)
    _size: int = 0

    def committed(self) -> None:
        """Keep what the transaction of this task has written, now that it is committed.

        The rows are taken out of the variable: every timer that was set meanwhile holds what was in it until it is due.
        """
        stored = STORED.get() or {}
        for row_id, row in stored.items():
            if row.bucket in self.buckets and self._size + row.size <= BYTES_MAX:
                self._rows[row_id] = row
                self._size += row.size
        stored.clear()

    def lease(self, buckets: Collection[int]) -> None:
        """Forget what is in buckets that are leased no longer."""
        self.buckets = buckets
        self.forget([row_id for row_id, row in self._rows.items() if row.bucket not in buckets])

    def rows(self) -> Mapping[int, Row]:
        """Return what is kept."""
        return self._rows

    def forget(self, row_ids: Iterable[int]) -> None:
        """Give up these rows, whether they were kept or not."""
        for row_id in row_ids:
            row = self._rows.pop(row_id, None)
            self._size -= row.size if row else 0
