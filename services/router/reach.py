"""How far do rounds look into long queues, and how often?

At first not far: whoever is free is mostly given what stands at the head. Where somebody is still free and the queue is
longer, a round looks farther, and then farther still, because nobody at the head may be fit for who is free. That is
dear, and in vain as long as nothing changes; so it takes a bounded share of the time, and a larger one for the
departments of agents who have become freer since somebody last looked far for them.
"""

from services.router.handlers.rounds import DEEPER, LOOK_FIRST_MAX, LOOK_MAX, Round

SHARE = 0.1
"""Of the time, at most, is spent on looking far."""
FREED_SHARE = 0.5
"""The same where agents have become freer."""
LIMIT_MAX = LOOK_MAX * DEEPER
"""With this a round looks as far as it may into every queue."""
NOTHING: frozenset[str] = frozenset()


class Reach:
    """What the next round of one process looks far into."""

    def __init__(self) -> None:
        """Look far nowhere."""
        self.far = NOTHING
        self.limit = LOOK_FIRST_MAX
        self._ended = self._took = 0.0

    def after(self, found: Round, took: float, now: float) -> frozenset[str]:
        """Choose what the next round looks far into, after one that took so many seconds and ended at ``now``.

        Return the queues that were looked into as far as is of use for whoever is free. Where another round had all of
        them, the next tries the same.
        """
        if not self.far:
            self._begin(found, now)
            return NOTHING
        looked = self.far - found.missed
        if not looked:
            return NOTHING
        self._ended, self._took = now, self._took + took
        self.far = found.deeper & looked if self.limit < LIMIT_MAX else NOTHING
        self.limit *= DEEPER
        return NOTHING if self.far or found.full else looked

    def _begin(self, found: Round, now: float) -> None:
        hurried = found.deeper & found.freed if now >= self._free_from(FREED_SHARE) else NOTHING
        self.far = hurried or (found.deeper if now >= self._free_from(SHARE) else NOTHING)
        self.limit = LOOK_FIRST_MAX * DEEPER
        if self.far:
            self._took = 0.0

    def seconds_to_next(self, now: float) -> float:
        """Return after how long it is looked far for agents who have become freer."""
        return max(0.0, self._free_from(FREED_SHARE) - now)

    def _free_from(self, share: float) -> float:
        """Return from when on another far look takes no more than this share of the time."""
        return self._ended + self._took * (1 / share - 1)
