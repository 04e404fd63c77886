"""Who owns the loops of a process, and how does it end?

All loops live in one task group: the first that fails stops the rest and the process. Front loops take work in; back
loops (relay, HTTP) end only after the last front loop has ended, so that what was decided is still said.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from services.runtime import metrics
from services.runtime.database import AWAY, PASSING, is_transient
from services.runtime.errors import FAILED, StoppedError, TransientError
from services.runtime.logs import Log

Loop = Callable[[asyncio.Event], Coroutine[None, None, None]]
"""Runs until the event that it is given is set, then ends in good order."""

CUT_SECONDS = 1.5
"""How long an end by force may take to let go of servers, which may hang as well."""
PAUSE_SECONDS_FIRST = 0.25
PAUSE_SECONDS_MAX = 5.0
STEADY_SECONDS = 30.0
"""A loop that ran this long has recovered: its next interruption waits the first pause again."""


@dataclass(slots=True)
class Lifecycle:
    """The loops of one process, from start to stop."""

    log: Log
    stop_seconds: float
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Take nothing new in."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing new comes any more: say what is left and end."""

    async def run(self, front: Mapping[str, Loop], back: Mapping[str, Loop]) -> None:
        """Run all loops until ``stopping`` is set or one fails; the failure of a loop comes out as it is."""
        try:
            async with asyncio.TaskGroup() as group:
                deadline = group.create_task(self._deadline(), name="deadline")
                async with asyncio.TaskGroup() as givers:
                    for name, loop in back.items():
                        givers.create_task(self._owned(name, loop, self.closing), name=name)
                    async with asyncio.TaskGroup() as takers:
                        for name, loop in front.items():
                            takers.create_task(self._owned(name, loop, self.stopping), name=name)
                    self.closing.set()
                deadline.cancel()
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None

    def listen_to_signals(self) -> None:
        """From now on a signal ends the process in good order; before, there is nothing in hand and it ends at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        if not self.stopping.is_set():
            asyncio.get_running_loop().call_later(self.stop_seconds + CUT_SECONDS, self._cut)
        self.stopping.set()

    def _cut(self) -> None:
        """End like ``kill -9``, which loses nothing: libraries wait for a server that hangs, perhaps for ever."""
        self.log.error("stop_forced", seconds=self.stop_seconds + CUT_SECONDS)
        os._exit(FAILED)

    async def _deadline(self) -> None:
        """End by force when an orderly stop takes too long: what is in hand is rolled back and redelivered."""
        await self.stopping.wait()
        self.log.info("stopping")
        await asyncio.sleep(self.stop_seconds)
        message = f"the orderly stop took longer than {self.stop_seconds:g} s; what was in hand will be done again"
        raise StoppedError(message)

    async def _owned(self, name: str, loop: Loop, until: asyncio.Event) -> None:
        """Run a loop, again after a server was away; a bug comes through and stops the process."""
        clock = asyncio.get_running_loop().time
        pause = PAUSE_SECONDS_FIRST
        while True:
            began = clock()
            ended = await self._tried(name, loop, until)
            if until.is_set():
                return
            if ended:
                raise StoppedError(f"the loop {name} ended by itself")
            pause = PAUSE_SECONDS_FIRST if clock() - began > STEADY_SECONDS else min(pause * 2, PAUSE_SECONDS_MAX)
            await wait(until, pause)

    async def _tried(self, name: str, loop: Loop, until: asyncio.Event) -> bool:
        """Run a loop once and tell whether it ended, or was interrupted by something that passes."""
        try:
            await loop(until)
        except asyncio.CancelledError:
            if _is_cancelled_from_outside():
                raise
            # A library let its own cancellation escape; a task group would take that for an end in good order.
            raise StoppedError(f"the loop {name} was cancelled from inside") from None
        except (*AWAY, *PASSING) as problem:
            if not is_transient(problem):
                raise
            metrics.LOOP_INTERRUPTIONS.labels(loop=name).inc()
            said = str(problem) if isinstance(problem, TransientError) else type(problem).__name__
            self.log.warning("loop_interrupted", loop=name, problem=said)
            return False
        return True


def _is_cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long, and tell whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def done_before(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do the work, give it up when the event is set first, and tell whether it was done; its failure comes out."""
    try:
        async with asyncio.TaskGroup() as group:
            doing, waiting = group.create_task(work), group.create_task(event.wait())
            await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            doing.cancel()
            waiting.cancel()
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None
    return not doing.cancelled()


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure that began it, out of groups in groups."""
    inner = failures.exceptions[0]
    return first_failure(inner) if isinstance(inner, BaseExceptionGroup) else inner
