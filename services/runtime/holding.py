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
    _rests_until: float = 0.0

    def places(self) -> Collection[Place]:
        """Return all of them."""
        return self._pauses.keys()

    def held(self, now: float) -> frozenset[Place]:
        """Return those that are still to be left alone; ``now`` in seconds of the loop, as everywhere here.

        Only those are tried together that refused together, who refused longest ago first, and others go on for a
        while after each that refuses: else a few with many rows, each tried in turn, would hold up all for ever.
        """
        over = [pause.ends_at for pause in self._pauses.values() if pause.ends_at <= now]
        tried = min(over) if over and now >= self._rests_until else float("-inf")
        return frozenset(place for place, pause in self._pauses.items() if pause.ends_at > tried)

    def tried(self, refused: Collection[Place], held: Collection[Place], now: float) -> None:
        """Note a publish that reached brokers: who refused pauses twice as long as last time, who took it is well."""
        for place in self._pauses.keys() - set(refused) - set(held):
            del self._pauses[place]
        if refused:
            self._rests_until = now + PAUSE_SECONDS_FIRST
        for place in refused:
            last = self._pauses.get(place)
            seconds = min(last.seconds * 2, PAUSE_SECONDS_MAX) if last else PAUSE_SECONDS_FIRST
            self._pauses[place] = _Pause(seconds, now + seconds)
