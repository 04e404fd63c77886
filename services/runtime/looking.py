"""From where does a loop look for what is due, when it looks again and again?

Vacuum gives back nothing that any transaction may still see (ADR 0020): the index in which the due comes first then
keeps all that was ever due, and a look from its beginning passes over it. So a look begins a little before the one
before it, which saw the rest, and only now and then at the beginning.
"""

import asyncio
from datetime import UTC, datetime, timedelta

BEGINNING = datetime.min.replace(tzinfo=UTC)
BACK = timedelta(seconds=10)
"""For what another process set for an earlier moment than this one's last look, and for what was locked then."""
FAR = timedelta(seconds=30)
"""So often it is looked from the beginning: whatever it is that was missed is no more than this late."""


class LookBack:
    """What one loop remembers of its looks."""

    __slots__ = ("_far_at", "_reached", "_seen_until")

    def __init__(self) -> None:
        """Have seen nothing: the first look is from the beginning."""
        self._far_at = self._seen_until = BEGINNING
        self._reached: datetime | None = None

    def since(self, now: datetime) -> datetime:
        """Return the moment from which a look has to begin now."""
        if self._reached is not None:
            self._seen_until = min(self._seen_until, self._reached)
            self._reached = None
        if self._is_far(now):
            return BEGINNING
        return max(min(self._seen_until, now), BEGINNING + BACK) - BACK  # a clock may be set back a little, too

    def seen(self, now: datetime) -> None:
        """Note that the look that began at this moment has found all that was due, and nothing of it is left."""
        if self._is_far(now):
            self._far_at = now
        self._seen_until = now

    def reach(self, moment: datetime) -> None:
        """Let the next look begin no later than at this moment: a look under way may not see what is due there."""
        self._reached = moment if self._reached is None else min(self._reached, moment)

    def _is_far(self, now: datetime) -> bool:
        return not timedelta(0) <= now - self._far_at < FAR


class DueEvent(asyncio.Event):
    """Set when there is something to look for; it keeps from where the one loop that waits for it has to look."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.looks = LookBack()

    def ring(self, moment: datetime) -> None:
        """Tell that a commit has left something that is due at this moment or later."""
        self.looks.reach(moment)
        self.set()
