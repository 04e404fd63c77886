"""When does a round of matching run?

At once after a commit that left something to do, and every quarter of a second for what time and other replicas change.
A round takes all that waits; the more a round costs, the longer the next one lets cases gather.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from services.router.bell import Bell
from services.router.handlers.aside import transact
from services.router.handlers.book import Book
from services.router.handlers.rounds import Round, match_queues
from services.router.reach import Reach
from services.router.storage import queues
from services.router.storage.agents import Everybody
from services.runtime.context import ServiceContext
from services.runtime.database import Connection
from services.runtime.lifecycle import wait
from services.runtime.work import Outgoing

IDLE_SECONDS = 0.25
REST_MAX_SECONDS = 0.02
"""Longest rest after a round that found something: a round for each case would cost more than all its cases."""
AGAIN_SECONDS = 0.01
"""Pause before a queue that another replica holds, or that changed under a round, is looked at again."""


class Matcher:
    """The rounds of one process."""

    def __init__(self, context: ServiceContext, bell: Bell) -> None:
        """Prepare; nothing runs before :meth:`run`."""
        self._context = context
        self._bell = bell
        self._everybody = Everybody()
        self._reach = Reach()
        self._looked = 0.0
        self._known: set[str] = set()

    async def run(self) -> None:
        """Match until told to stop."""
        stopping = self._context.stopping
        again: frozenset[str] = frozenset()
        pause = 0.0
        while not stopping.is_set():
            if pause:
                await wait(self._bell.woken, pause)
            departments = self._bell.take() | again | await self._due()
            began = asyncio.get_running_loop().time()
            found = await self._round(departments)
            took = asyncio.get_running_loop().time() - began
            again, pause = self._next(found, departments, took)
            if found.matched and not found.full:
                await wait(stopping, min(2 * took, REST_MAX_SECONDS))

    async def _due(self) -> set[str]:
        """Return every queue, when it is time to look at what no commit of this process tells."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < IDLE_SECONDS:
            return set()
        self._looked = now
        async with self._context.pool.acquire() as connection:
            return await queues.busy(connection)

    def _next(self, found: Round, departments: set[str], took: float) -> tuple[frozenset[str], float]:
        """Return what to look at next, and after which pause."""
        now = asyncio.get_running_loop().time()
        looked = self._reach.after(found, took, now)
        self._everybody.looked_for(looked)
        if self._reach.far:
            return found.again | self._reach.far, AGAIN_SECONDS if self._reach.far <= found.missed else 0.0
        if found.matched and found.more:
            return frozenset(departments), 0.0
        hurried = found.deeper & found.freed - looked
        if hurried:
            return found.again | hurried, max(self._reach.seconds_to_next(now), AGAIN_SECONDS)
        return found.again, AGAIN_SECONDS if found.again else IDLE_SECONDS

    async def _round(self, departments: set[str]) -> Round:
        """Run one round in a transaction of its own, and tell what it did."""
        found = Round((), 0, frozenset(), deeper=frozenset())
        if not departments:
            return found

        async def work(connection: Connection, now: datetime) -> Sequence[Outgoing]:
            nonlocal found
            if departments - self._known:
                await queues.prepare(connection, departments)
            far = dict.fromkeys(self._reach.far, self._reach.limit)
            book = Book(self._context.policy, now, {})
            found = await match_queues(connection, book, departments, self._everybody, far)
            return found.said

        await transact(self._context, work)
        self._known |= departments
        return found
