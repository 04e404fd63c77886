"""Does the store behave as PostgreSQL does under rivals, and as a network does when it fails, in virtual time?"""

import asyncio
from dataclasses import dataclass

import asyncpg
import pytest

from tests.simulation.conftest import in_a_calm_world
from tests.simulation.pool import SimulatedPool
from tests.simulation.server import Server
from tests.simulation.store import LOCK_SECONDS, Store
from tests.simulation.world import World

TAKE = "INSERT INTO matchers (department) VALUES ($1)"
LOCK = "SELECT department FROM matchers WHERE department = $1 FOR UPDATE"
COUNT = "SELECT count(*) FROM matchers"


@dataclass
class Somebody:
    """A process that lives."""

    name: str = "somebody"

    def check(self) -> None:
        """Go on."""

    def point(self, share: float = 1.0) -> None:
        """Go on."""


def a_pool(world: World, server: Server) -> SimulatedPool:
    server.clear()
    return SimulatedPool(Store(world, server), "router", Somebody())


async def count(pool: SimulatedPool) -> int:
    return int((await pool.fetch(COUNT))[0][0])


async def hold(pool: SimulatedPool, world: World, name: str, seconds: float, *more: str) -> float:
    """Lock rows one after the other with pauses between them, and return when the transaction ended."""
    async with pool.acquire() as connection, connection.transaction():
        for each in (name, *more):
            await connection.fetch(LOCK, each)
            await world.pause(seconds)
    return world.loop.time()


def test_a_rival_waits_for_the_lock_in_virtual_time(server: Server) -> None:
    async def play(world: World) -> list[float]:
        pool = a_pool(world, server)
        async with pool.acquire() as connection:
            await connection.execute(TAKE, "front_desk")
        return await asyncio.gather(*(hold(pool, world, "front_desk", 2.0) for _ in range(2)))

    assert sorted(in_a_calm_world(play)) == [2.0, 4.0]


def test_a_rival_that_waits_too_long_is_told(server: Server) -> None:
    async def play(world: World) -> list[object]:
        pool = a_pool(world, server)
        async with pool.acquire() as connection:
            await connection.execute(TAKE, "front_desk")
        work = (hold(pool, world, "front_desk", LOCK_SECONDS * 2) for _ in range(2))
        return list(await asyncio.gather(*work, return_exceptions=True))

    ended = in_a_calm_world(play)
    assert [type(each) for each in ended if not isinstance(each, float)] == [asyncpg.LockNotAvailableError]


def test_a_ring_of_waits_ends_with_one_victim(server: Server) -> None:
    async def play(world: World) -> list[object]:
        pool = a_pool(world, server)
        async with pool.acquire() as connection:
            for name in ("front_desk", "operations"):
                await connection.execute(TAKE, name)
        one = hold(pool, world, "front_desk", 1.0, "operations")
        two = hold(pool, world, "operations", 1.0, "front_desk")
        return list(await asyncio.gather(one, two, return_exceptions=True))

    ended = in_a_calm_world(play)
    assert [type(each) for each in ended if not isinstance(each, float)] == [asyncpg.DeadlockDetectedError]


@pytest.mark.parametrize(("kind", "stored"), [("commit_unanswered", 1), ("commit_lost", 0), ("cut", 0)])
def test_a_connection_that_is_lost_leaves_all_or_nothing(server: Server, kind: str, stored: int) -> None:
    async def play(world: World) -> int:
        pool = a_pool(world, server)
        world.faults.chances = {kind: 1.0}  # type: ignore[dict-item]  # one of the literal's
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(TAKE, "front_desk")
        world.faults.calm = True
        return await count(pool)

    assert in_a_calm_world(play) == stored


def test_the_clock_of_the_database_is_the_virtual_one(server: Server) -> None:
    async def play(world: World) -> bool:
        pool = a_pool(world, server)
        await world.pause(100_000.0)
        rows = await pool.fetch("SELECT clock_timestamp() = $1 AND now() = $1", world.now())
        return bool(rows[0][0])

    assert in_a_calm_world(play)


def test_whoever_dies_leaves_nothing_behind_and_holds_nobody_up(server: Server) -> None:
    async def play(world: World) -> tuple[int, float]:
        pool = a_pool(world, server)
        async with pool.acquire() as connection:
            await connection.execute(TAKE, "front_desk")
        victim = SimulatedPool(pool.store, "router", Somebody("victim"))
        dying = world.loop.create_task(hold(victim, world, "front_desk", 3.0))
        world.after(1.0, victim.die)
        await world.pause(0.5)
        ended = await hold(pool, world, "front_desk", 0.0)
        dying.cancel()
        await asyncio.wait([dying])
        return await count(pool), ended

    stored, ended = in_a_calm_world(play)
    assert (stored, ended) == (1, 1.0)
