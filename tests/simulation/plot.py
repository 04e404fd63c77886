"""How long is a seed, when does it begin, and how much happens in it?

Most are a few hours: faults meet in moments, and many short stories find more than one long one. Some go through a
night with its quiet hours, and a few through a weekend.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

HOUR = 3600.0
FRIDAY = datetime(2026, 11, 5, 16, tzinfo=UTC)
"""Midnight in Shanghai."""
WORKDAYS = ((9.0, 18.0), (81.0, 90.0))
"""When people work, on Friday and Monday, in hours since that midnight."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The frame of one run."""

    begin: datetime
    hours: float
    contacts: int
    rest_hours: float = 1.0
    """At the end nothing goes wrong any more, and everything comes to rest."""

    @classmethod
    def drawn(cls, chance: random.Random) -> Self:
        """Return the frame that this source of chance draws."""
        kind = chance.random()
        if kind < 0.85:
            first = chance.choice((8.5, 10.0, 13.5, 16.0, 20.0))
            return cls(_hour(first), chance.uniform(1.5, 4.0), chance.randint(1, 3))
        if kind < 0.97:
            return cls(_hour(15.0), 42.0, chance.randint(2, 6))
        return cls(_hour(8.5), 75.5, chance.randint(4, 10))

    @property
    def end(self) -> float:
        """Return the last second."""
        return self.hours * HOUR

    @property
    def last_contact(self) -> float:
        """Return the second after which nobody begins anything new."""
        return self.end - self.rest_hours * HOUR

    def second(self, hour: float) -> float:
        """Return an hour since that midnight as a second of the run."""
        return (_hour(hour) - self.begin).total_seconds()


def _hour(hour: float) -> datetime:
    return FRIDAY + timedelta(hours=hour)


SHORT = Plot(_hour(10.0), 1.8, 3)
"""Some hours in which three customers come."""
