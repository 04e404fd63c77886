"""What time is it in a simulated run, is anything still moving, and when does something happen next?

Nothing happens most of the time. When nothing has moved for a little while and nothing is due that somebody must still
find, the clock jumps to the next moment at which something will be due, as if the machine had been suspended: idle
loops look later than they meant to, never earlier.
"""

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from services.runtime.waiting import UNHURRIED
from tests.simulation.faults import Faults, weather
from tests.simulation.loop import VirtualLoop

STILL_SECONDS = 2 * UNHURRIED.seconds_max
"""Longer than a busy loop pauses, or a service rests; what idle loops look for, the store knows of (``next_due``)."""


@dataclass(slots=True)
class World:
    """Time, chance and movement of one run."""

    seed: int
    loop: VirtualLoop
    begin: datetime
    next_due: Callable[[], float | None] = lambda: None
    """When the store knows of something that time alone will bring about."""
    faults: Faults = field(init=False)
    chance: random.Random = field(init=False)
    """For people and the order of things; faults have a source of their own."""
    _moved: float = 0.0
    _agenda: list[asyncio.TimerHandle] = field(default_factory=list)
    _tasks: "set[asyncio.Task[Any]]" = field(default_factory=set)
    _names: "count[int]" = field(default_factory=count)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the weather, and let the loop ask before it waits."""
        self.faults = weather(random.Random(f"faults {self.seed}"))
        self.chance = random.Random(f"people {self.seed}")
        self.loop.on_idle = self._skip

    def now(self) -> datetime:
        """Return the present moment: this is the clock of all services."""
        return self.begin + timedelta(seconds=self.loop.time())

    def seconds(self, moment: datetime) -> float:
        """Return a moment as seconds of the loop."""
        return (moment - self.begin).total_seconds()

    def moved(self) -> None:
        """Say that something has changed: everybody gets the time to look at it."""
        self._moved = self.loop.time()

    def at(self, seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something at this second of the loop, unless it is cancelled; the clock does not jump over it."""
        planned = self.loop.call_at(seconds, self._act, action)
        heapq.heappush(self._agenda, planned)
        return planned

    def after(self, seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something after so many seconds."""
        return self.at(self.loop.time() + seconds, action)

    async def pause(self, seconds: float) -> None:
        """Return after so many virtual seconds."""
        over = asyncio.Event()
        self.after(seconds, over.set)
        await over.wait()

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> "asyncio.Task[None]":
        """Let a task run; its failure is a failure of the run."""
        task = self.loop.create_task(work, name=name or f"task {next(self._names)}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)

    def _act(self, action: Callable[[], None]) -> None:
        self.moved()
        action()

    def _next_planned(self) -> float | None:
        """Return when something is to be done that was planned."""
        agenda, now = self._agenda, self.loop.time()
        while agenda and (agenda[0].cancelled() or agenda[0].when() <= now):
            heapq.heappop(agenda)
        return agenda[0].when() if agenda else None

    def _skip(self) -> None:
        now = self.loop.time()
        if now - self._moved < STILL_SECONDS:
            return
        planned = self._next_planned()
        if planned is not None and planned <= now + STILL_SECONDS:
            return
        moments = [moment for moment in (planned, self.next_due()) if moment is not None]
        if moments and min(moments) > now:
            self.loop.jump(min(moments))
            self.moved()
