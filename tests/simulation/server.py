"""How does a simulation use one real PostgreSQL, run after run, in a way that depends on nothing but the seed?

One database per process, five schemas that stay, tables that are emptied before each run. Nothing goes on in the
server by itself: no autovacuum, no statistics, no clock of its own.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import asyncpg

from services.runtime import database, migrations
from tests.simulation.loop import Blocking

Kind = TypeVar("Kind")
SERVICES = ("intake", "router", "followup", "notify", "desk")
LOOK_SECONDS = 0.003
"""After so long a statement is asked whether it waits for a lock."""
CLOCKS = """
-- The clock of the database is the virtual one: this schema stands before pg_catalog in the search path.
CREATE SCHEMA IF NOT EXISTS virtual;
CREATE OR REPLACE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$;
CREATE OR REPLACE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$;
"""
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
TIME = "SELECT set_config('virtual.now', $1, false)"
_READS_CLOCK = re.compile(r"\b(clock_timestamp|now)\(\)")
SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "deadlock_timeout": "1h",
    "synchronous_commit": "off",
    "virtual.now": "2026-01-01",
}
"""Deadlocks are found here and not there: whose turn it is to die must not depend on real time."""


@dataclass(eq=False, slots=True)
class Real:
    """One real connection."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    pid: int
    open: bool = False
    """Whether it may hold locks: it has a transaction or a statement that is not over."""
    told: datetime | None = None
    """The last time that it was told."""


@dataclass(slots=True)
class Server:
    """The database of this process, and the connections to it."""

    dsn: str
    blocking: Blocking
    free: dict[str, list[Real]] = field(default_factory=dict)
    taken: dict[str, list[Real]] = field(default_factory=dict)
    monitor: Any = None
    empty: str = ""
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

    def tell_time(self, real: Real, query: str, now: datetime) -> None:
        """Let this statement read the virtual clock, if it reads one."""
        if real.told != now and _READS_CLOCK.search(query):
            self.run(real.connection.execute(TIME, now.isoformat()))
            real.told = now

    def tell_monitor(self, now: datetime) -> None:
        """Let the monitor read the virtual clock."""
        self.run(self.monitor.execute(TIME, now.isoformat()))

    def is_alone(self, schema: str, real: Real) -> bool:
        """Tell whether nobody else holds a lock in this schema; this connection may from now on."""
        real.open = True
        return all(each is real or not each.open for each in self.taken[schema])

    def is_settled(self, real: Real, task: "asyncio.Task[Any]") -> bool:
        """Tell whether a statement has ended; if not, it waits for a lock."""
        return task.done() or self.run(self._is_settled(real, task))

    def blockers(self, real: Real) -> set[int]:
        """Return the servers' processes whose locks this one waits for."""
        return set(self.run(self.monitor.fetchval(BLOCKERS, real.pid)))

    def cancel(self, real: Real, task: "asyncio.Task[Any]") -> None:
        """End a statement that waits for a lock."""
        if not task.done():
            self.run(self._cancel(real, task))

    def roll_back(self, real: Real) -> None:
        """Undo the transaction of a connection."""
        self.run(real.connection.execute("ROLLBACK"))
        real.open = False
        real.told = None

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
        await self.monitor.execute(CLOCKS)
        for service in SERVICES:
            await migrations.migrate(self.monitor, service)
        await self.monitor.execute("RESET search_path")
        tables = [row[0] for row in await self.monitor.fetch(TABLES, SERVICES)]
        sequences = [row[0] for row in await self.monitor.fetch(SEQUENCES, SERVICES)]
        for table in tables:
            await self.monitor.execute(QUIET.format(table))
        self.empty = ";".join([f"TRUNCATE {', '.join(tables)} RESTART IDENTITY", *sequences])

    async def _connect(self, schema: str) -> Real:
        settings = SETTINGS | {"search_path": f"{schema}, virtual, pg_catalog", "application_name": schema}
        connection = await asyncpg.connect(self.dsn, server_settings=settings)
        await database._prepare(connection)
        return Real(connection, connection.get_server_pid())

    async def _is_settled(self, real: Real, task: "asyncio.Task[Any]") -> bool:
        """Give the server time to end a statement; only one that waits for a lock does not."""
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if await self.monitor.fetchval(BLOCKERS, real.pid):
                return task.done()
        return True

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
