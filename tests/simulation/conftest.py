"""What do tests of the simulation stand on? A real PostgreSQL, and a world without weather."""

from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, TypeVar

import pytest

from tests.simulation.faults import Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.plot import FRIDAY
from tests.simulation.seeds import a_database
from tests.simulation.server import Server, a_server
from tests.simulation.world import World

Kind = TypeVar("Kind")


@pytest.fixture(scope="session")
def server(postgres_dsn: str) -> Iterator[Server]:
    """A database with the tables of all services."""
    with a_database(postgres_dsn) as dsn, a_server(dsn) as prepared:
        yield prepared


def in_a_calm_world(play: Callable[[World], Coroutine[Any, Any, Kind]]) -> Kind:
    """Run this where nothing goes wrong by itself, and where every task ends well."""
    loop = VirtualLoop(Random(1))
    world = World(1, loop, FRIDAY)
    world.faults = Faults(Random(1))
    try:
        return loop.run_until_complete(play(world))
    finally:
        loop.close()
        assert world.failures == []
