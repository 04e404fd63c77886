"""Which queues should the matcher look at now?"""

import asyncio
from collections.abc import Iterable


class Bell:
    """Names of queues that changed, and a wake for the matcher: rung by handlers once their work is stored."""

    __slots__ = ("_named", "woken")

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._named: set[str] = set()
        self.woken = asyncio.Event()

    def ring(self, departments: Iterable[str]) -> None:
        """Say that these queues, or agents of these departments, have changed."""
        self._named.update(departments)
        if self._named:
            self.woken.set()

    def take(self) -> set[str]:
        """Return what was named since the last look, and wait for the next."""
        self.woken.clear()
        taken, self._named = self._named, set()
        return taken
