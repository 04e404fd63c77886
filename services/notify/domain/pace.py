"""How fast may a provider be called? It says so itself, by refusing what is too much.

Nobody is slowed down before a provider has refused anything. From the share that it refused in a second follows what it
takes in a second; that pace is kept and raised a little with every second, so that what a provider grants is
used up and few calls are refused: a refused call costs one message a second or more.
"""

from dataclasses import dataclass

LOOK_SECONDS = 1.0
FIRST_LOOK_SECONDS = 0.25
"""As long as no limit is known, calls are many, and soon tell."""
REFUSED_MAX = 0.03
"""A smaller share is no sign of a limit: providers refuse a call now and then."""
RAISE = 1.02
RAISE_QUICKLY = 1.25
QUIET_LOOKS = 5
"""After so many looks without a sign of a limit the pace is raised quickly: the provider grants more than it did.

A pace that nobody needs is not raised: nothing is learnt from fewer calls.
"""
PER_SECOND_MIN = 1.0
CATCH_UP_SECONDS = 0.1
"""Turns of this time that nobody took, because he woke late, may be taken at once."""


@dataclass(slots=True)
class Pace:
    """The calls to one provider; moments are seconds on a clock that never goes back."""

    per_second: float | None = None
    """Unknown as long as nothing shows a limit."""
    _free_at: float = 0.0
    _since: float = 0.0
    _until: float = 0.0
    _taken: int = 0
    _refused: int = 0
    _quiet: int = 0
    _away: bool = False
    _before: float | None = None
    """The pace before the provider took nothing at all."""

    def turn(self, now: float) -> float:
        """Take the turn, if it has come, and return 0; else return for how many seconds it has to be waited for."""
        if self.per_second is None:
            return 0.0
        if self._free_at > now:
            return self._free_at - now
        self._free_at = max(self._free_at, now - CATCH_UP_SECONDS) + 1 / self.per_second
        return 0.0

    def answered(self, now: float, *, refused: bool) -> None:
        """Learn from an answer; ``refused`` when nothing was taken, for now."""
        if now - self._since >= (FIRST_LOOK_SECONDS if self.per_second is None else LOOK_SECONDS):
            self._look()
            self._since, self._taken, self._refused = now, 0, 0
        self._until = now
        self._taken += not refused
        self._refused += refused

    def _look(self) -> None:
        calls = self._taken + self._refused
        seconds = max(self._until - self._since, FIRST_LOOK_SECONDS)
        if not self._taken:
            self._suspend(calls / seconds)
        elif self._refused > max(REFUSED_MAX * calls, 1):
            self._away, self._quiet = False, 0
            # In a second in which we stood still ourselves little was taken, and that is not the provider's doing.
            granted = (self.per_second or 0.0) * self._taken / calls
            self.per_second = max(self._taken / seconds, granted, PER_SECOND_MIN)
        elif self._away:
            self._away, self.per_second = False, self._before
        elif self.per_second is not None and calls / seconds >= self.per_second / 2:
            self._quiet += 1
            self.per_second *= RAISE if self._quiet <= QUIET_LOOKS else RAISE_QUICKLY

    def _suspend(self, calls_per_second: float) -> None:
        """Ask ever less often of who takes nothing at all: a provider that is away says nothing of its limit."""
        if not calls_per_second:
            return
        if not self._away:
            self._away, self._before = True, self.per_second
        self.per_second = max(calls_per_second / 2, PER_SECOND_MIN)
