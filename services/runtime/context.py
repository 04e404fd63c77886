"""What does a service's own code get from the runtime besides its handler's transaction?"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from contracts.policy import Policy
from services.runtime import metrics, outbox, timers
from services.runtime.clock import Clock
from services.runtime.database import PASSING, Connection, Pool, is_away
from services.runtime.errors import TransientError
from services.runtime.fresh import STORED, Fresh
from services.runtime.lifecycle import wait
from services.runtime.logs import Log
from services.runtime.looking import DueEvent
from services.runtime.publishing import Publisher
from services.runtime.settings import Settings
from services.runtime.tracing import UNTRACED, Tracing
from services.runtime.work import Outgoing

Kind = TypeVar("Kind", bound=Settings)
Transaction = Callable[[Connection, datetime], Awaitable[Sequence[Outgoing]]]
"""Work of a loop or a route inside one transaction: it may run more than once, so it acts on the database only."""
CONFLICTS_MAX = 5


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The parts of one running service."""

    service: str
    settings: Settings
    pool: Pool
    policy: Policy
    clock: Clock
    log: Log
    publisher: Publisher
    """A producer of its own for :meth:`publish`; the outbox has another."""
    stopping: asyncio.Event
    tracing: Tracing = UNTRACED
    outbox_wake: asyncio.Event = field(default_factory=asyncio.Event)
    outbox_fresh: Fresh = field(default_factory=Fresh)
    timers_due: DueEvent = field(default_factory=DueEvent)

    @property
    def source(self) -> str:
        """Return the ``ce_source`` of this service."""
        return f"caseloop/{self.service}"

    def settings_as(self, kind: type[Kind]) -> Kind:
        """Return the settings as the class that the service declared."""
        if not isinstance(self.settings, kind):
            raise TypeError(f"{self.service} was not declared with {kind.__name__}")
        return self.settings

    def committed(self, said: int) -> None:
        """Hand over to relay and timers, and wake them, what a commit has left for them; a look costs a round trip."""
        if said:
            self.outbox_fresh.committed()
            self.outbox_wake.set()
        due = timers.soonest(self.clock.now())
        if due is not None:
            self.timers_due.ring(due)

    async def transact(self, work: Transaction) -> None:
        """Do the work and store what it says in one transaction, then wake the relay.

        A conflict or a deadlock is tried again at once, a few times; what remains is raised as it is.
        """
        for attempt in range(CONFLICTS_MAX):
            try:
                await self._transact(work)
            except PASSING as conflict:
                if is_away(conflict) or attempt + 1 == CONFLICTS_MAX:
                    raise
                self.log.debug("transaction_retried", problem=type(conflict).__name__)
                await wait(self.stopping, 0.01 * 2**attempt)
            else:
                return

    async def _transact(self, work: Transaction) -> None:
        now = self.clock.now()
        timers.EARLIEST.set(None)
        STORED.set({})
        async with self.pool.acquire() as connection:
            with metrics.TRANSACTION_SECONDS.time():
                async with connection.transaction():
                    said = await work(connection, now)
                    await outbox.append(connection, self.source, said, now, self.tracing)
        self.committed(len(said))

    async def publish(self, said: Sequence[Outgoing]) -> None:
        """Send now and return after the brokers' acks: for edges whose caller waits and will repeat after a failure.

        ``TransientError`` when it is not known to have arrived, ``MessageTooLargeError`` when it never will.
        """
        now = self.clock.now()
        frames = [outbox.framed(self.source, each, now, self.tracing) for each in said]
        published = await self.publisher.publish({0: frames}, self.settings.publish_timeout_seconds)
        if published.problem is not None:
            raise TransientError(published.problem)


LoopFactory = Callable[[ServiceContext], Coroutine[None, None, None]]
"""A loop of the service's own; it ends in good order when ``stopping`` is set."""
