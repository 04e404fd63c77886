"""Which call does the local SMS provider refuse, and which does it leave without an answer?

A call's fate follows from its message and from how often that was offered: the same calls have the same fate in every
run. The limit is a bucket that fills at the provider's pace.
"""

import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Protocol

Fate = Literal["answered", "refused", "lost", "unanswered"]
"""``lost``: not accepted, ``unanswered``: accepted; neither gets an answer."""
AT_ONCE_SECONDS = 0.1
"""What a limit grants in this time may come at once."""
WHOLE = 10_000


class Told(Protocol):
    """As far as the behaviour decides a call's fate."""

    @property
    def per_second(self) -> float | None: ...  # noqa: D102 - see Behaviour
    @property
    def refused_share(self) -> float: ...  # noqa: D102 - see Behaviour
    @property
    def hanging_share(self) -> float: ...  # noqa: D102 - see Behaviour


@dataclass(slots=True)
class Trouble:
    """What was offered so far."""

    offers: Counter[str] = field(default_factory=Counter)
    _granted: float = 0.0
    _at: float = 0.0

    def fate(self, reference: str, told: Told) -> Fate:
        """Decide about the next call with this message."""
        self.offers[reference] += 1
        lot = zlib.crc32(f"{reference}:{self.offers[reference]}".encode()) % WHOLE / WHOLE
        if lot < told.refused_share or (told.per_second is not None and not self._grants(told.per_second)):
            return "refused"
        if lot - told.refused_share < told.hanging_share:
            return "lost" if int(lot * WHOLE) % 2 else "unanswered"
        return "answered"

    def _grants(self, per_second: float) -> bool:
        now = time.monotonic()
        most = max(1.0, per_second * AT_ONCE_SECONDS)
        self._granted = min(most, self._granted + (now - self._at) * per_second)
        self._at = now
        if self._granted < 1:
            return False
        self._granted -= 1
        return True
