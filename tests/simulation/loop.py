"""How does a whole system of tasks run in virtual time, and every time in the same order for the same seed?

An asyncio event loop that waits for nothing: when no task can go on, its clock jumps to the next moment at which one
can. What is ready at the same moment runs in an order that the seed draws.
"""

import asyncio
import asyncio.events
import random
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, TypeVar

Kind = TypeVar("Kind")
STALLED_SECONDS = 1e8
"""Nobody waits so long (three years): a loop that would has nothing left to do."""


class StalledError(Exception):
    """Every task waits for something that will never happen."""


class _Jumps:
    """A selector that waits for no file: it lets the time pass and shuffles what is ready."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Go to the next moment at which something is due; ``BaseEventLoop`` asks before every turn."""
        self._loop.turn(timeout)
        return []

    def close(self) -> None:
        """Hold nothing."""


class _NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set has nothing to do with its address: task groups cancel their tasks in that order."""

    def __init__(self, number: int, *given: Any, **options: Any) -> None:  # noqa: ANN401 - handed through
        self._number = number  # the base class puts the task into a set
        super().__init__(*given, **options)

    def __hash__(self) -> int:
        """Return its number."""
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose seconds cost nothing."""

    def __init__(self, chance: random.Random) -> None:
        """Begin at second 0 with this source of chance."""
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._clock_resolution = 1e-6  # what a float of some years' seconds can tell apart
        self._selector = _Jumps(self)
        numbers = count()
        self.set_task_factory(lambda loop, work, **given: _NumberedTask(next(numbers), work, loop=loop, **given))
        self.turns = 0
        self.on_idle: Callable[[], None] = lambda: None
        """Called when nothing is ready, before the clock moves on; it may make something ready or jump."""

    def time(self) -> float:
        """Return the virtual seconds since the beginning."""
        return self._now

    def jump(self, to: float) -> None:
        """Let time pass as for a machine that was suspended: what was due meanwhile is due now, late."""
        self._now = max(self._now, to)

    def turn(self, timeout: float | None) -> None:
        """Let ``timeout`` seconds pass, then choose in which order the ready tasks run."""
        self.turns += 1
        if timeout != 0:
            self.on_idle()
        ready: Any = self._ready  # type: ignore[attr-defined]  # BaseEventLoop's own queue
        if not ready and timeout != 0:
            due: Any = self._scheduled  # type: ignore[attr-defined]  # BaseEventLoop's own heap
            if not due or due[0].when() - self._now > STALLED_SECONDS:
                raise StalledError("every task waits and nothing is scheduled")
            self._now = max(self._now, due[0].when())
        if len(ready) > 1:
            shuffled = list(ready)
            self._chance.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)

    def _process_events(self, event_list: list[Any]) -> None:
        """Find no event: there are no files."""

    def _write_to_self(self) -> None:
        """Wake nobody: there is one thread."""


def run_virtually(main: Coroutine[Any, Any, Kind], chance: random.Random) -> Kind:
    """Run a coroutine to its end in a loop of its own, and leave no task behind."""
    loop = VirtualLoop(chance)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


class Blocking:
    """A real event loop for real connections: each call runs to its end while virtual time stands still."""

    def __init__(self) -> None:
        """Make the loop; it runs only inside :meth:`run`."""
        self._loop = asyncio.new_event_loop()  # uvloop makes two sockets for every run

    def run(self, work: Coroutine[Any, Any, Kind]) -> Kind:
        """Return what the coroutine returns; nobody else runs meanwhile."""
        outer = asyncio.events._get_running_loop()
        asyncio.events._set_running_loop(None)
        try:
            return self._loop.run_until_complete(work)
        finally:
            asyncio.events._set_running_loop(outer)

    def start(self, work: Coroutine[Any, Any, Kind]) -> "asyncio.Task[Kind]":
        """Begin a piece of work that goes on only inside :meth:`run`."""
        return self._loop.create_task(work)

    def close(self) -> None:
        """Let go of the loop."""
        self._loop.close()
