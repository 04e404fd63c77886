"""How does a simulation use one real PostgreSQL, run after run, in a way that depends on nothing but the seed?

One database per process, five schemas that stay, tables that are emptied before each run. Nothing goes on in the
server by itself: no autovacuum, no statistics, no clock of its own.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import asyncpg

from services.runtime import database, migrations
from tests.simulation.loop import Blocking

Kind = TypeVar("Kind")
SERVICES = ("intake", "router", "followup", "notify", "desk")
LOOK_SECONDS = 0.001
"""After so long a statement is asked whether it waits for a lock; a selector waits for no shorter time."""
TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = ANY ($1::text[]) AND tablename NOT IN ('migrations') ORDER BY schemaname, tablename
"""
SEQUENCES = """
SELECT format('ALTER SEQUENCE %I.%I RESTART', schemaname, sequencename) FROM pg_sequences
WHERE schemaname = ANY ($1::text[])
"""
QUIET = "ALTER TABLE {} SET (autovacuum_enabled = off)"
BLOCKERS = "SELECT pg_blocking_pids($1)"
CANCEL = "SELECT pg_cancel_backend($1)"
_CLOCK = re.compile(r"\b(clock_timestamp|now)\(\)")
_GIVEN = re.compile(r"\$(\d+)")
SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "deadlock_timeout": "1h",
    "synchronous_commit": "off",
}
"""Deadlocks are found here and not there: whose turn it is to die must not depend on real time."""


@cache
def _told(query: str) -> tuple[str, bool]:
    given = max(map(int, _GIVEN.findall(query)), default=0)
    told, times = _CLOCK.subn(f"${given + 1}::timestamptz", query)
    return told, times > 0


def at(now: datetime, query: str, args: Sequence[object]) -> tuple[str, Sequence[object]]:
    """Return a statement that is told the time instead of asking the server's clock, and what it is given."""
    told, reads_clock = _told(query)
    return told, (*args, now) if reads_clock else args


@dataclass(eq=False, slots=True)
class Real:
    """One real connection."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    pid: int
    open: bool = False
    """Whether it may hold locks: it has a transaction or a statement that is not over."""


@dataclass(slots=True)
class Server:
    """The database of this process, and the connections to it."""

    dsn: str
    blocking: Blocking
    free: dict[str, list[Real]] = field(default_factory=dict)
    taken: dict[str, list[Real]] = field(default_factory=dict)
    monitor: Any = None
    empty: str = ""
    tables: frozenset[str] = frozenset()
    """What the tables of all schemas are called."""
    made: int = 0

    def run(self, work: Coroutine[Any, Any, Kind]) -> Kind:
        """Run real work to its end."""
        return self.blocking.run(work)

    def start(self, work: Coroutine[Any, Any, Kind]) -> "asyncio.Task[Kind]":
        """Begin real work that may be held up."""
        return self.blocking.start(work)

    def prepare(self) -> None:
        """Make the tables, once per database."""
        self.run(self._prepare())

    def clear(self) -> None:
        """Empty all tables and begin all numbers anew."""
        for schema, connections in self.taken.items():
            self.free.setdefault(schema, []).extend(connections)
        self.taken = {}
        for connections in self.free.values():
            connections.sort(key=lambda real: real.pid)
            for real in connections:
                real.open = False
        self.run(self.monitor.execute(self.empty))

    def take(self, schema: str) -> Real:
        """Return a connection to the schema of a service."""
        free = self.free.setdefault(schema, [])
        real = free.pop() if free else self.run(self._connect(schema))
        self.taken.setdefault(schema, []).append(real)
        return real

    def give_back(self, schema: str, real: Real) -> None:
        """Take back a connection without a transaction."""
        self.taken[schema].remove(real)
        self.free[schema].append(real)

    def is_alone(self, schema: str, real: Real) -> bool:
        """Tell whether nobody else holds a lock in this schema; this connection may from now on."""
        real.open = True
        return all(each is real or not each.open for each in self.taken[schema])

    def blockers(self, real: Real, task: "asyncio.Task[Any]", patience: float = 0.0) -> set[int]:
        """Return the server's processes for whose locks a statement waits; none when it has ended."""
        return set() if task.done() else self.run(self._blockers(real, task, patience))

    def cancel(self, real: Real, task: "asyncio.Task[Any]") -> None:
        """End a statement that waits for a lock."""
        if not task.done():
            self.run(self._cancel(real, task))

    def roll_back(self, real: Real) -> None:
        """Undo the transaction of a connection."""
        self.run(real.connection.execute("ROLLBACK"))
        real.open = False

    def pids(self) -> list[int]:
        """Return the server's processes that work for this one."""
        held = [real.pid for connections in (*self.free.values(), *self.taken.values()) for real in connections]
        return [*held, self.monitor.get_server_pid()]

    def close(self) -> None:
        """Let go of the server."""
        for connections in (*self.free.values(), *self.taken.values()):
            for real in connections:
                self.run(real.connection.close())
        if self.monitor is not None:
            self.run(self.monitor.close())

    async def _prepare(self) -> None:
        self.monitor = await asyncpg.connect(self.dsn)
        for service in SERVICES:
            await migrations.migrate(self.monitor, service)
        await self.monitor.execute("RESET search_path")
        tables = [row[0] for row in await self.monitor.fetch(TABLES, SERVICES)]
        self.tables = frozenset(table.partition(".")[2] for table in tables)
        sequences = [row[0] for row in await self.monitor.fetch(SEQUENCES, SERVICES)]
        for table in tables:
            await self.monitor.execute(QUIET.format(table))
        self.empty = ";".join([f"TRUNCATE {', '.join(tables)} RESTART IDENTITY", *sequences])

    async def _connect(self, schema: str) -> Real:
        settings = SETTINGS | {"search_path": schema, "application_name": schema}
        connection = await asyncpg.connect(self.dsn, server_settings=settings, max_cached_statement_lifetime=0)
        await database._prepare(connection)
        return Real(connection, connection.get_server_pid())

    async def _blockers(self, real: Real, task: "asyncio.Task[Any]", patience: float) -> set[int]:
        """Give the server time to end a statement; only one that waits for a lock does not."""
        while not (await asyncio.wait([task], timeout=patience))[0]:
            blockers = set(await self.monitor.fetchval(BLOCKERS, real.pid))
            if blockers and not task.done():
                return blockers
            patience = LOOK_SECONDS
        return set()

    async def _cancel(self, real: Real, task: "asyncio.Task[Any]") -> None:
        while not task.done():
            await self.monitor.execute(CANCEL, real.pid)
            await asyncio.wait([task], timeout=LOOK_SECONDS)
        task.exception()  # it is known why


@contextmanager
def a_server(dsn: str) -> Iterator[Server]:
    """Give a prepared server."""
    server = Server(dsn, Blocking())
    try:
        server.prepare()
        yield server
    finally:
        server.close()
        server.blocking.close()
