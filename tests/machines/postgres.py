"""How does a machine, which knows no ``await``, play on a real PostgreSQL?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from services.runtime.database import Connection, Pool
from tests.machines.depth import depth
from tests.support.floor import migrated_pool, settings_for
from tests.support.tiny import EFFECTS

T = TypeVar("T")
FEWER = 0.5
"""The share of the profile for a machine with a database behind it."""


@contextmanager
def running(opened: AbstractAsyncContextManager[T]) -> Iterator[tuple[asyncio.Runner, T]]:
    """Give an event loop that lives as long as the test, and in it what was opened."""
    with asyncio.Runner() as runner:
        thing = runner.run(opened.__aenter__())
        try:
            yield runner, thing
        finally:
            runner.run(_closed(opened))


async def _closed(opened: AbstractAsyncContextManager[Any]) -> None:
    await opened.__aexit__(None, None, None)


async def cut(pool: Pool, connection: Connection) -> None:
    """Kill the server's side of this connection in the middle of its transaction, as the end of a process does."""
    pid = connection.get_server_pid()
    async with pool.acquire() as other:
        await other.execute("SELECT pg_terminate_backend($1)", pid)
    await connection.fetchval("SELECT 1")
    raise AssertionError("the connection outlived its backend")


@asynccontextmanager
async def tiny(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Give the pool of a service that writes effects."""
    async with migrated_pool(settings_for(postgres_dsn, "localhost:9092")) as pool:
        await pool.execute(EFFECTS)
        yield pool


def play(machine: type[RuleBasedStateMachine], runner: asyncio.Runner, **stand: object) -> None:
    """Play a machine that finds the loop's ``run`` and what else it stands on as attributes of its class."""
    placed = type(machine.__name__, (machine,), {"run": staticmethod(runner.run)} | stand)
    run_state_machine_as_test(placed, settings=depth(FEWER))
