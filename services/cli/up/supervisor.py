"""How do the processes of a system start, come back when they die, and end together?"""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from deploy.local.process import ServerProcess, spawn
from services.cli.failures import CommandError
from services.cli.up.plan import Program

READY_SECONDS = 60.0
POLL_SECONDS = 0.05
WATCH_SECONDS = 0.2
BACKOFF_SECONDS_FIRST = 0.5
BACKOFF_SECONDS_MAX = 10.0
STEADY_SECONDS = 30.0
"""A process that lived this long is restarted without waiting longer than the first time."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Child:
    """One process that must be there."""

    name: str
    start: Callable[[], ServerProcess]
    process: ServerProcess
    began: float
    pause: float = BACKOFF_SECONDS_FIRST


@dataclass(slots=True)
class Supervisor:
    """Everything that was started, in the order in which it was."""

    tell: Tell
    changed: Callable[[], None] = lambda: None
    """Called after a restart: process ids are others then."""
    children: list[Child] = field(default_factory=list)

    def run(self, program: Program) -> None:
        """Start a program and keep it."""

        def start() -> ServerProcess:
            return spawn(program.name, program.command, program.log, environment=program.environment)

        self.keep(program.name, start, start())

    def keep(self, name: str, start: Callable[[], ServerProcess], process: ServerProcess) -> None:
        """Keep a process that runs already."""
        self.children.append(Child(name, start, process, asyncio.get_running_loop().time()))

    def pids(self) -> dict[str, int]:
        """Return the process ids of now."""
        return {child.name: child.process.pid for child in self.children}

    async def ready(self, programs: Sequence[Program], stopping: asyncio.Event) -> None:
        """Return when all programs say that they are ready, or when stopping; ``CommandError`` when one cannot."""
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            await asyncio.gather(*(self._ready(client, program, stopping) for program in programs))

    async def watch(self, stopping: asyncio.Event) -> None:
        """Start again what died, each with its own backoff, until stopping."""
        async with asyncio.TaskGroup() as group:
            for child in self.children:
                group.create_task(self._watch(child, stopping))

    async def stop(self, names: Sequence[str]) -> None:
        """End these, all at once, each in its own orderly way."""
        leaving = [child for child in self.children if child.name in names]
        await asyncio.gather(*(asyncio.to_thread(child.process.stop) for child in leaving))

    async def _ready(self, client: httpx.AsyncClient, program: Program, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        child = next(child for child in self.children if child.name == program.name)
        deadline = loop.time() + READY_SECONDS
        answer = "no answer"
        while not stopping.is_set():
            if not child.process.is_running():
                raise CommandError(f"{program.name} did not start: {_last_words(child)}")
            try:
                response = await client.get(program.url + program.ready_path)
                if response.is_success:
                    return
                answer = response.text
            except httpx.HTTPError:
                pass
            if loop.time() > deadline:
                raise CommandError(
                    f"{program.name} was not ready after {READY_SECONDS:.0f} s: {answer} ({program.log})"
                )
            await _pause(stopping, POLL_SECONDS)

    async def _watch(self, child: Child, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not await _pause(stopping, WATCH_SECONDS):
            if child.process.is_running():
                continue
            if loop.time() - child.began > STEADY_SECONDS:
                child.pause = BACKOFF_SECONDS_FIRST
            self.tell(f"{child.name} ended ({_last_words(child)}); it starts again in {child.pause:g} s")
            if await _pause(stopping, child.pause):
                return
            child.pause = min(child.pause * 2, BACKOFF_SECONDS_MAX)
            await self._again(child)

    async def _again(self, child: Child) -> None:
        from deploy.local.errors import LocalServerError

        child.began = asyncio.get_running_loop().time()
        try:
            child.process = await asyncio.to_thread(child.start)
        except LocalServerError as problem:
            self.tell(str(problem))
        self.changed()


async def _pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait, and tell whether it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True


def _last_words(child: Child) -> str:
    """Return how a process ended: by which signal, or with which status and words."""
    status = child.process.popen.returncode
    if status is not None and status < 0:
        how = f"killed by {signal.Signals(-status).name}"
    else:
        words = child.process.last_words()
        how = f"exit status {status}" if words.startswith("{") else words
    return f"{how}; log: {child.process.log}"
