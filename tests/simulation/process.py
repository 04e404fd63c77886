"""How does one service live and die in a simulation? The production loops, on simulated ports.

A process that is killed stops at once: whatever it still tries is refused, its transactions are rolled back, and its
group misses it only when its session ends. A new process takes over a little later.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.policy import Policy
from services.desk.app import SERVICE as DESK
from services.followup.app import SERVICE as FOLLOWUP
from services.intake.app import SERVICE as INTAKE
from services.notify.app import SERVICE as NOTIFY
from services.notify.handlers import handler_of as notify_handler_of
from services.notify.handlers.dispatch import Dispatcher
from services.notify.settings import NotifySettings
from services.router.app import service as router_service
from services.router.bell import Bell
from services.runtime.context import LoopFactory, ServiceContext
from services.runtime.front import front_loops
from services.runtime.leases import Leases
from services.runtime.lifecycle import Lifecycle, Loop
from services.runtime.logs import Event, Log
from services.runtime.looking import DueEvent
from services.runtime.relay import Relay
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.work import Handler, Outgoing, Work
from tests.simulation.bus import Broker, Bus, put_in
from tests.simulation.observing import Observed
from tests.simulation.pool import SimulatedPool
from tests.simulation.provider import NAME, Provider, SimulatedSender
from tests.simulation.publishing import BusPublisher
from tests.simulation.store import Store
from tests.simulation.world import World

INTERRUPTIONS = frozenset({"loop_interrupted", "poll_failed", "publish_failed", "transaction_retried"})
CALM_LEASE_SECONDS = 6.0
"""How long a relay's lease lasts where nothing goes wrong, as where nobody sets it."""
PAUSED_SECONDS = 6.0
"""Longer than a loop pauses after it was interrupted: the clock does not jump over its next try."""


@dataclass(slots=True)
class Town:
    """What all processes of a run share."""

    world: World
    bus: Bus
    store: Store
    provider: Provider
    policy: Policy
    observed: Observed
    lease_seconds: float


class QuietLog(Log):
    """Remembers what a process would have written."""

    def __init__(self, world: World, name: str, lines: list[str]) -> None:
        """Write to these lines."""
        self._world = world
        self._name = name
        self._lines = lines

    def _write(self, event: Event, facts: Mapping[str, object]) -> None:
        self._lines.append(f"{self._world.loop.time():12.3f} {self._name}: {event} {dict(facts)}")
        if event in INTERRUPTIONS:
            self._world.after(PAUSED_SECONDS, lambda: None)

    def debug(self, event: Event, **facts: object) -> None:
        self._write(event, facts)

    def info(self, event: Event, **facts: object) -> None:
        self._write(event, facts)

    def warning(self, event: Event, **facts: object) -> None:
        self._write(event, facts)

    def error(self, event: Event, **facts: object) -> None:
        self._write(event, facts)


@dataclass(eq=False, slots=True)
class Process:
    """One process of one service."""

    town: Town
    service: str
    name: str
    log: QuietLog
    alive: bool = True
    lifecycle: Lifecycle = field(init=False)
    pool: SimulatedPool = field(init=False)
    broker: Broker | None = None
    task: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        """Prepare; nothing runs before :meth:`run`."""
        self.lifecycle = Lifecycle(self.log, 8.0)
        self.pool = SimulatedPool(self.town.store, self.service, self)

    def check(self) -> None:
        """Go on, unless this process is dead."""
        if not self.alive:
            raise asyncio.CancelledError

    def point(self, share: float = 1.0) -> None:
        """Go on, or die here."""
        if self.alive and self.town.world.faults.strikes("crash", share):
            self.kill()
        self.check()

    def kill(self) -> None:
        """End at once: nothing that this process does has an effect any more."""
        self.alive = False
        self.pool.die()
        if self.broker is not None:
            self.broker.die()
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Run until told to stop, as ``journey.travel`` does."""
        self.task = asyncio.current_task()
        given: Any = {"service": self.service, "pool": self.pool, "clock": self.town.world, "log": self.log}
        publisher = BusPublisher(self.town.bus, self)
        context = ServiceContext(
            settings=settings_of(self.service, self.town.lease_seconds),
            policy=self.town.policy,
            publisher=publisher,
            stopping=self.lifecycle.stopping,
            **given,
        )
        service = self._declared(context)
        front: dict[str, Loop] = dict(front_loops(service, context))
        del front["gauges"]  # they only count
        del front["compaction"]  # PostgreSQL's statistics of the wall's time decide about it
        subscription: Any = front["consumer"]
        self.broker = put_in(subscription.__self__, self.town.bus, service.name, service.topics)
        for number, factory in enumerate(service.loops):
            front[f"own {number}"] = _bound(factory, context)
        relay = self._relay(context, publisher)
        await self.lifecycle.run(front, {"relay": relay.run})

    def _relay(self, context: ServiceContext, publisher: BusPublisher) -> Relay:
        pool: Any = self.pool
        leases = Leases(self.name, self.town.lease_seconds)
        seconds = context.settings.publish_timeout_seconds
        return Relay(
            pool,
            publisher,
            leases,
            self.log,
            publish_seconds=seconds,
            wake=context.outbox_wake,
            fresh=context.outbox_fresh,
        )

    def _declared(self, context: ServiceContext) -> Service:
        """Return the service as its ``app`` declares it, with every effect observed."""
        plain = self._plain(context)

        def handler_of(policy: Policy) -> Handler:
            inner = plain.handler_of(policy)

            async def handle(work: Work) -> list[Outgoing]:
                said = list(await inner(work))
                self.town.observed.watch(self.service, work)
                return said

            return handle

        return replace(plain, handler_of=handler_of)

    def _plain(self, context: ServiceContext) -> Service:
        if self.service == "router":
            return router_service(Bell())
        if self.service == "notify":
            return self._notify(context)
        plain = {"intake": INTAKE, "followup": FOLLOWUP, "desk": DESK}[self.service]
        return replace(plain, handler_of=lambda policy: _compiled(plain, policy))

    def _notify(self, context: ServiceContext) -> Service:
        queued = DueEvent()
        settings = context.settings_as(NotifySettings)
        sender = SimulatedSender(self.town.provider, self, settings.sms_timeout_seconds)

        async def dispatcher(context: ServiceContext) -> None:
            await Dispatcher(context, settings, sender, queued).run()

        return replace(NOTIFY, handler_of=lambda policy: notify_handler_of(policy, queued), loops=(dispatcher,))


def settings_of(service: str, lease_seconds: float) -> Settings:
    """Return the settings of a service; addresses name nothing."""
    given: dict[str, object] = {
        "kafka_bootstrap": "nowhere:1",
        "postgres_dsn": "postgresql://nowhere",
        "relay_lease_seconds": lease_seconds,
    }
    if service == "notify":
        return NotifySettings.model_validate(given | {"sms_provider": NAME, "sms_calls_max": 4})
    return Settings.model_validate(given)


def _bound(factory: LoopFactory, context: ServiceContext) -> Loop:
    return lambda _stopping: factory(context)


_HANDLERS: dict[str, Handler] = {}


def _compiled(service: Service, policy: Policy) -> Handler:
    """Return a handler that keeps nothing between its calls: compiling a policy takes longer than an hour here."""
    if service.name not in _HANDLERS:
        _HANDLERS[service.name] = service.handler_of(policy)
    return _HANDLERS[service.name]
