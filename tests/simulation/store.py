"""How does production SQL run on the real PostgreSQL while time is virtual?

The surface of asyncpg that the services use, over real connections. A statement runs to its end while virtual time
stands still. One that meets a lock waits as a task, until the transaction that holds the lock has ended; so rivals
interleave as on a live system, and always in the same way. ``now()`` and ``clock_timestamp()`` are the virtual clock's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from tests.simulation.faults import Faults
from tests.simulation.looks import HOUSEKEEPING, Looks
from tests.simulation.server import LOOK_SECONDS, Real, Server, at
from tests.simulation.world import World

LOCK_SECONDS = 3.0
"""How long a statement waits for a lock, as the services set it."""

IDLY = 0.1
"""How much less often leases and empty rounds are hit: there are so many of them, and who dies makes more of them."""


class Owner(Protocol):
    """The process that uses a pool; it may die at any of its points."""

    name: str

    def check(self) -> None:
        """Go on, or raise ``CancelledError`` when the process is dead."""
        ...

    def point(self, share: float = 1.0) -> None:
        """Go on, or raise ``CancelledError`` when the process is dead or dies here."""
        ...


@dataclass(eq=False, slots=True)
class Store:
    """The database of one run."""

    world: World
    server: Server
    lease_seconds: float = 6.0
    """Of the relays."""
    looks: Looks = field(init=False)
    waiting: "list[Held]" = field(default_factory=list)
    """Connections whose statement waits for a lock."""
    watch: "Callable[[Held, str, Sequence[object]], None]" = lambda _held, _query, _args: None
    """Told of every statement that has run."""

    def __post_init__(self) -> None:
        """Know nothing about what idle loops would find."""
        self.looks = Looks(self.server, self.world, self.lease_seconds)

    def ended(self, pid: int) -> None:
        """Let whoever waits for a lock of this server's process have it: its transaction has ended.

        The server hands locks on at once. So it is seen to have done so before anybody else asks for anything, or
        real time would decide who is first.
        """
        for held in self.waiting:
            if held.task is not None and pid in held.blockers:
                held.blockers = self.server.blockers(held.real, held.task)
                if not held.blockers:
                    held.freed.set()

    def is_ring(self, held: "Held") -> bool:
        """Tell whether this connection waits for one that waits, in the end, for this one."""
        seen: set[int] = set()
        left = set(held.blockers)
        tasks = {each.real.pid: (each.real, each.task) for each in self.waiting if each.task is not None}
        while left:
            pid = left.pop()
            if pid == held.real.pid:
                return True
            if pid not in seen and pid in tasks:
                left |= self.server.blockers(*tasks[pid])
            seen.add(pid)
        return False


@dataclass(eq=False, slots=True)
class Held:
    """One connection in the hands of a process."""

    store: Store
    schema: str
    owner: Owner
    real: Real
    depth: int = 0
    begun: bool = False
    closed: bool = False
    changed: set[str] = field(default_factory=set)
    """The tables in which this transaction has changed something."""
    task: "asyncio.Task[Any] | None" = None
    """A statement that is not over: it waits for a lock."""
    blockers: set[int] = field(default_factory=set)
    """The server's processes for whose locks it waits, as last seen."""
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there are none any more."""
    notes: list[Callable[[], None]] = field(default_factory=list)
    """What the checks want to know once this transaction is stored, whether or not its process hears of it."""

    # What the services use of asyncpg's connections.

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement and return its status."""
        status: str = await self._run(query, args, "execute")
        return status

    async def fetch(self, query: str, *args: object) -> Sequence[asyncpg.Record]:
        """Run a statement and return its rows."""
        rows: Sequence[asyncpg.Record] = await self._run(query, args, "fetch")
        return rows

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Run a statement and return its first row."""
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401 - whatever the column holds
        """Run a statement and return the first value of its first row."""
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]

    async def copy_records_to_table(self, table: str, **options: Any) -> str:  # noqa: ANN401 - asyncpg's
        """Copy rows in."""
        await self._before()
        self.changed.add(table)
        status: str = await self._waited(lambda: self.real.connection.copy_records_to_table(table, **options))
        return status

    def is_closed(self) -> bool:
        """Tell whether the server is gone."""
        return self.closed

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self.depth > 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit what happens inside, or roll it back; ``BEGIN`` goes along with the first statement."""
        self.depth += 1
        try:
            yield
        except BaseException:
            self.depth -= 1
            self.roll_back()
            raise
        self.depth -= 1
        await self._commit()

    # How that is done.

    async def _run(self, query: str, args: Sequence[object], how: str) -> Any:  # noqa: ANN401 - asyncpg's answer
        self.owner.check()
        known = self.store.looks.known(self, query, args) if how == "fetch" else None
        if known is not None:
            return known
        share = IDLY if query in HOUSEKEEPING else 1.0
        await self._before(share)
        told, given = at(self.store.world.now(), query, args)
        try:
            answer = await self._waited(lambda: getattr(self.real.connection, how)(told, *given))
        finally:
            self.real.open = self.begun
        self.changed |= self.store.looks.changes(query, args, answer)
        if not self.begun:
            self._settled()
        self.store.looks.remember(self, query, args, answer)
        self.store.watch(self, query, args)
        self.owner.point(share)
        return answer

    async def _before(self, share: float = 1.0) -> None:
        """Begin the transaction, let others run, and let something go wrong."""
        if self.closed:
            raise asyncpg.InterfaceError("connection is closed")
        faults = self.store.world.faults
        if faults.strikes("statement_slow", share):
            await self.store.world.pause(faults.seconds(0.0001, 3.0))
        else:
            await asyncio.sleep(0)
        self.owner.point(share)
        if faults.strikes("cut", share):
            self.cut()
            raise _gone()
        if self.depth and not self.begun:
            self._rolling(faults, share)
            self.store.server.run(self.real.connection.execute("BEGIN"))
            self.begun = True
        elif self.depth:
            self._rolling(faults, share)

    def _rolling(self, faults: Faults, share: float) -> None:
        if faults.strikes("conflict", share):
            raise asyncpg.SerializationError("could not serialize access due to concurrent update (drawn)")
        if faults.strikes("deadlock", share):
            raise asyncpg.DeadlockDetectedError("deadlock detected (drawn)")

    async def _waited(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 - asyncpg's answer
        """Run a statement; while it is held up by a lock, let others run."""
        server = self.store.server
        if server.is_alone(self.schema, self.real):
            return server.run(call())
        task = self.task = server.start(call())
        try:
            self.blockers = server.blockers(self.real, task, LOOK_SECONDS)
            if self.blockers:
                await self._blocked()
        finally:
            self._abandon()
        return task.result()

    def _abandon(self) -> None:
        """End a statement that still waits for a lock."""
        task, self.task = self.task, None
        if task is not None:
            self.store.server.cancel(self.real, task)

    async def _blocked(self) -> None:
        store = self.store
        if store.is_ring(self):
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        self.freed.clear()
        store.waiting.append(self)
        late = store.world.after(LOCK_SECONDS, self.freed.set)
        try:
            await self.freed.wait()
        finally:
            late.cancel()
            store.waiting.remove(self)
        self.owner.point()
        if self.blockers:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    async def _commit(self) -> None:
        if not self.begun:
            return
        faults, share = self.store.world.faults, 1.0 if self.changed else IDLY
        self.owner.point(share)
        if faults.strikes("commit_lost", share):
            self.cut()
            raise _gone()
        self.store.server.run(self.real.connection.execute("COMMIT"))
        self.begun = self.real.open = False
        notes, self.notes = self.notes, []
        for note in notes:
            note()
        self._settled()
        if faults.strikes("commit_unanswered", share):
            self.cut()
            raise _gone()
        self.owner.point(share)

    def _settled(self) -> None:
        """Tell everybody that something may have changed for good."""
        if self.changed:
            self.store.looks.changed(self.schema, self.changed)
            self.changed = set()
            self.store.world.moved()
        self.store.ended(self.real.pid)

    def roll_back(self) -> None:
        """Undo the open transaction."""
        self.notes.clear()
        if self.begun:
            self.begun = False
            self.changed = set()
            self.store.server.roll_back(self.real)
            self.store.ended(self.real.pid)

    def cut(self) -> None:
        """Lose the connection: the server rolls back, and nobody hears anything any more."""
        self._abandon()
        self.roll_back()
        self.closed = True


def _gone() -> asyncpg.PostgresConnectionError:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
