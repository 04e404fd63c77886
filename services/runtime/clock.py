"""What time is it? The only home of the wall clock; below it time is an argument."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Something that tells the time; the wall in production, a value that tests move."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    __slots__ = ()

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)
