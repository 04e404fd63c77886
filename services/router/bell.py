"""Which queues should the matcher look at now?

A handler says before its commit which queues it touched; the matcher is woken by commits. Nobody knows which commit was
the handler's, so a queue is looked at after every commit until a moment after it was named: a look too many costs one
query, a look too few would cost a customer the idle pause.
"""

import asyncio
from collections.abc import Iterable

STILL_SECONDS = 0.1
"""Longest time between a handler's naming of a queue and its commit; what takes longer is found by the idle look."""


class Bell:
    """Names of queues, and a wake for the matcher."""

    __slots__ = ("_named", "woken")

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._named: dict[str, float] = {}
        self.woken = asyncio.Event()

    def name(self, departments: Iterable[str], at: float) -> None:
        """Say that these queues change with the transaction that runs at this loop time."""
        for department in departments:
            self._named[department] = at

    def committed(self) -> None:
        """Wake the matcher when something was named."""
        if self._named:
            self.woken.set()

    def take(self, at: float) -> set[str]:
        """Return the queues to look at now; those named a moment ago stay named."""
        self.woken.clear()
        taken = set(self._named)
        self._named = {name: since for name, since in self._named.items() if at - since < STILL_SECONDS}
        return taken
