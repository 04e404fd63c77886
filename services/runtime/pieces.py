"""What can be settled in one transaction, and how is it cut in two when it fails?

Three things are: stretches of Kafka partitions, due timers, parked records whose retry has come. They differ in how a
transaction makes sure that they are still its own, and in what is written when they are done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from services.runtime.database import Connection
from services.runtime.endings import Dead, Retry
from services.runtime.envelope import Opened
from services.runtime.records import Record
from services.runtime.timers import Firing


class BusyError(Exception):
    """Another replica is at this work: look again later."""


class Entry(NamedTuple):
    """One record and what is in it."""

    record: Record
    opened: Opened
    parked_id: int | None = None
    attempt: int = 0
    """How often it has been tried before."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a transaction may work on; ``waiting``: some record waits for its retry, so look who stands behind."""

    entries: Sequence[Entry]
    waiting: bool


Park = tuple[Entry, Retry | Dead]


class Piece(Protocol):
    """Work for one transaction."""

    @property
    def name(self) -> str:
        """Return the kind of work, for the log."""
        ...

    @property
    def firing(self) -> Firing | None:
        """Return the timers that this transaction takes away last."""
        ...

    async def claim(self, connection: Connection, now: datetime) -> Claimed:
        """Make sure inside the transaction that the work is still ours, or raise."""
        ...

    async def finish(
        self,
        connection: Connection,
        handled: Sequence[Entry],
        idle: Sequence[Entry],
        parks: Sequence[Park],
        now: datetime,
    ) -> None:
        """Write how the entries ended, just before the commit; ``idle`` are those handled that changed nothing."""
        ...

    def settled(self) -> None:
        """Remember that the transaction was committed."""
        ...

    def parts(self) -> "Sequence[Piece]":
        """Return smaller pieces in the order in which they must be settled, none when this is a single record."""
        ...


T = TypeVar("T")


def halves(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Cut a sequence of at least two in the middle."""
    middle = len(items) // 2
    return items[:middle], items[middle:]
