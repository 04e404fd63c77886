"""Which partitions does a relay leave alone for a while, so that all others go on?"""

from collections.abc import Collection
from dataclasses import dataclass, field

from services.runtime.partitioning import Place

PAUSE_SECONDS_FIRST = 1.0
PAUSE_SECONDS_MAX = 8.0
"""Two sides: a partition that takes nothing may hold up all others for one publish each time it is tried, and it is
back for so long at most before that is noticed."""


@dataclass(frozen=True, slots=True)
class _Pause:
    seconds: float
    ends_at: float


@dataclass(slots=True)
class Holding:
    """The partitions that took nothing when it was their turn last."""

    _pauses: dict[Place, _Pause] = field(default_factory=dict)

    def places(self) -> Collection[Place]:
        """Return all of them."""
        return self._pauses.keys()

    def held(self, now: float) -> frozenset[Place]:
        """Return those that are still to be left alone; ``now`` in seconds of the loop, as everywhere here."""
        return frozenset(place for place, pause in self._pauses.items() if now < pause.ends_at)

    def tried(self, refused: Collection[Place], held: Collection[Place], now: float) -> None:
        """Note a publish that reached brokers: who refused pauses twice as long as last time, who took it is well."""
        for place in self._pauses.keys() - set(refused) - set(held):
            del self._pauses[place]
        for place in refused:
            last = self._pauses.get(place)
            seconds = min(last.seconds * 2, PAUSE_SECONDS_MAX) if last else PAUSE_SECONDS_FIRST
            self._pauses[place] = _Pause(seconds, now + seconds)
