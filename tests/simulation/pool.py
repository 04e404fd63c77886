"""How does a process of the simulation come by connections: the surface of asyncpg's pool that the services use?"""

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.simulation.store import Held, Owner, Store


@dataclass(eq=False, slots=True)
class SimulatedPool:
    """What the services use of asyncpg's pools."""

    store: Store
    schema: str
    owner: Owner
    held: list[Held] = field(default_factory=list)

    def acquire(self, *, timeout: float | None = None) -> "_Acquiring":  # noqa: ARG002 - there is always one
        """Give a connection, to be awaited or entered."""
        return _Acquiring(self)

    async def release(self, connection: Held) -> None:
        """Take a connection back."""
        if connection in self.held:
            self.held.remove(connection)
            connection.roll_back()
            self.store.server.give_back(self.schema, connection.real)

    async def fetch(self, query: str, *args: object) -> Sequence[asyncpg.Record]:
        """Run one statement on a connection of its own."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *args)

    def die(self) -> None:
        """Roll everything back: the process is dead."""
        for connection in list(self.held):
            connection.cut()
            self.held.remove(connection)
            self.store.server.give_back(self.schema, connection.real)


@dataclass(slots=True)
class _Acquiring:
    """A connection on its way."""

    pool: SimulatedPool
    got: Held | None = None

    def __await__(self) -> Generator[Any, None, Held]:
        return self._get().__await__()

    async def _get(self) -> Held:
        pool = self.pool
        await asyncio.sleep(0)
        pool.owner.check()
        held = Held(pool.store, pool.schema, pool.owner, pool.store.server.take(pool.schema))
        pool.held.append(held)
        return held

    async def __aenter__(self) -> Held:
        self.got = await self._get()
        return self.got

    async def __aexit__(self, *_: object) -> None:
        if self.got is not None:
            await self.pool.release(self.got)
