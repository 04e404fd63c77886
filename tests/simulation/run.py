"""What happens in one seed? Some hours, perhaps a night or a weekend, of a small contact centre under fire."""

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from aiokafka import ConsumerRecord

from contracts.policy import Policy, load_policy
from contracts.registry import MESSAGES
from services.runtime.settings import STANDARD_POLICY
from tests.simulation.bus import Bus
from tests.simulation.checks import Checks
from tests.simulation.customers import Customers
from tests.simulation.faults import Kind
from tests.simulation.loop import VirtualLoop
from tests.simulation.observing import Observed
from tests.simulation.outside import Outside
from tests.simulation.plot import HOUR, SHORT, Plot
from tests.simulation.process import CALM_LEASE_SECONDS, Process, QuietLog, Town
from tests.simulation.provider import Provider
from tests.simulation.server import SERVICES, Server
from tests.simulation.staff import Staff
from tests.simulation.store import Store
from tests.simulation.world import World

STOP_SECONDS = 10.0
TWO = 0.4
LINES_KEPT = 5000
HEARD = frozenset({"case.events", "channel.outbound"})


@dataclass(slots=True)
class Result:
    """What one seed showed."""

    seed: int
    problems: list[str]
    digest: str = ""
    hours: float = 0.0
    cpu_seconds: float = 0.0
    facts: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """One run, from the first agent to the last check."""

    town: Town
    plot: Plot
    two: float
    """How likely a service has two processes."""
    lines: list[str] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    exits: list[str] = field(default_factory=list)
    ending: bool = False
    hired: int = 0

    async def go(self) -> list[str]:
        """Live through the days, come to rest, stop, and judge."""
        world = self.town.world
        outside = self.town.provider.outside
        staff, customers = Staff(world, outside, self.plot), Customers(world, outside, self.plot)
        self.town.bus.listeners.append(lambda record: _heard(record, staff, customers))
        for service in SERVICES:
            self._start(service, 0)
            if world.chance.random() < self.two:
                self._start(service, 1)
        staff.hire()
        customers.live()
        await world.pause(self.plot.last_contact)
        world.faults.calm = True
        await self._come_to_rest()
        problems = Checks(self.town).all()
        problems += await self._stop()
        return [*problems, *self.exits, *map(repr, world.failures)]

    async def _come_to_rest(self) -> None:
        world, checks = self.town.world, Checks(self.town)
        await world.pause(self.plot.end - world.loop.time())
        while checks.left() and world.loop.time() < self.plot.end + HOUR:
            await world.pause(60.0)

    def _start(self, service: str, number: int) -> None:
        self.hired += 1
        name = f"{service}-{number}-{self.hired}"
        process = Process(self.town, service, name, QuietLog(self.town.world, name, self.lines))
        self.processes[name] = process
        self.town.world.spawn(self._live(process, number), name)

    async def _live(self, process: Process, number: int) -> None:
        """Let a process run, and start another in its place when it dies."""
        try:
            await process.run()
        except asyncio.CancelledError:
            if process.alive:
                raise
        except Exception as failure:  # noqa: BLE001 - whatever ends a service by itself is a finding
            if process.alive:
                self.exits.append(f"{process.name} ended by itself: {failure!r}")
                process.kill()
        del self.processes[process.name]
        if not self.ending:
            world = self.town.world
            world.after(world.faults.seconds(0.3, 60.0), lambda: self._start(process.service, number))

    async def _stop(self) -> list[str]:
        """Tell every process to stop, and return who did not in time."""
        self.ending = True
        for process in self.processes.values():
            process.lifecycle.stopping.set()
        deadline = self.town.world.loop.time() + STOP_SECONDS
        while self.processes and self.town.world.loop.time() < deadline:
            await self.town.world.pause(0.5)
        late = [f"I8: {name} did not stop within {STOP_SECONDS:.0f} s" for name in self.processes]
        return late + [f"{left} after the stop" for left in Checks(self.town).unsaid()]


def simulate(server: Server, seed: int, storm: Mapping[Kind, float] | None = None) -> Result:
    """Run one seed on this server and return what it showed; in a storm two of each service, some hours of work."""
    server.clear()
    random.seed(seed)
    loop = VirtualLoop(random.Random(f"order {seed}"))
    plot = SHORT if storm is not None else Plot.drawn(random.Random(f"plot {seed}"))
    world = World(seed, loop, plot.begin)
    if storm is not None:
        world.faults.chances = dict(storm)
    lease = world.chance.choice((6.0, 60.0, 300.0, 300.0)) if world.faults.chances else CALM_LEASE_SECONDS
    bus, store = Bus(world), Store(world, server, lease)
    world.next_due = store.looks.next_due
    town = Town(world, bus, store, Provider(world, Outside(bus)), _policy(), Observed(world, server), lease)
    store.watch = town.observed.statement
    run = Run(town, plot, 1.0 if storm is not None else TWO)
    try:
        problems = loop.run_until_complete(run.go())
    finally:
        _leave(loop, run)
    facts = {
        "records": sum(map(len, bus.logs.values())),
        "timers": town.observed.timers,
        "sent": len(town.provider.accepted),
        "turns": loop.turns,
    }
    facts.update((kind, times) for kind, times in world.faults.struck.items())
    lines = run.lines[-LINES_KEPT:]
    return Result(seed, problems, _digest(town), loop.time() / HOUR, facts=facts, lines=lines)


def _leave(loop: VirtualLoop, run: Run) -> None:
    """End every task that is left, whose process is dead from now on."""
    for process in run.processes.values():
        process.alive = False
    while left := asyncio.all_tasks(loop):  # a member that leaves lets the others share anew
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


def _heard(record: ConsumerRecord, staff: Staff, customers: Customers) -> None:
    """Let people react to what is said, a little later and once."""
    if record.topic in HEARD:
        message = MESSAGES[bytes(dict(record.headers)["ce_type"]).decode()].read(record.value)
        staff.hear(message)
        customers.hear(message)


def _digest(town: Town) -> str:
    """Return a hash of everything that was said, by whomever, in order."""
    digest = hashlib.sha256()
    for place, log in sorted(town.bus.logs.items()):
        for record in log:
            digest.update(repr((place, record.timestamp, record.key, record.value, record.headers)).encode())
    digest.update(repr(list(town.provider.accepted.values())).encode())
    return digest.hexdigest()


@cache
def _policy() -> Policy:
    return load_policy(STANDARD_POLICY)
