"""How soon does a relay look again: does its own process tell it all, or may others fill its buckets?"""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from services.runtime.database import Connection, Pool
from services.runtime.frames import Frame
from services.runtime.leases import Leases
from services.runtime.logs import Log
from services.runtime.outbox import RETIRE_ROWS
from services.runtime.publishing import KafkaPublisher
from services.runtime.relay import BUSY_SECONDS, IDLE_SECONDS, SOON_SECONDS, Relay
from services.runtime.settings import Settings
from tests.support.floor import relaying, until
from tests.support.relays import say


@dataclass(slots=True)
class Watched(Relay):
    """A relay that notes how long it meant to wait before each look."""

    waits: list[float] = field(default_factory=list)

    async def take(self, connection: Connection, arrived: Collection[int]) -> dict[int, list[Frame]]:
        self.waits.append(self._pause)
        return await Relay.take(self, connection, arrived)


@pytest.mark.parametrize(("rivals", "wait"), [((), IDLE_SECONDS), (("rival",), 2 * BUSY_SECONDS)])
async def test_it_looks_often_only_where_others_may_fill_its_buckets(
    settings: Settings, pool: Pool, publisher: KafkaPublisher, rivals: tuple[str, ...], wait: float
) -> None:
    watched = Watched(pool, publisher, Leases("watched", settings.relay_lease_seconds), Log("test", "error"))

    async def looked_twice() -> bool:
        return len(watched.waits) > 1

    async with pool.acquire() as connection:
        for rival in rivals:
            await Leases(rival, 60.0).prepare(connection)
            await Leases(rival, 60.0).renew(connection)
    async with relaying(watched):
        await until(looked_twice)

    assert watched.waits[1] == wait


@pytest.mark.parametrize(
    ("rivals", "gone", "wait"),
    [((), 0, SOON_SECONDS), (("rival",), 0, BUSY_SECONDS), ((), RETIRE_ROWS, BUSY_SECONDS)],
    ids=["alone", "beside a rival", "about to empty the outbox"],
)
async def test_what_has_arrived_is_forgotten_with_a_look_that_would_have_been_anyway(
    settings: Settings, pool: Pool, publisher: KafkaPublisher, rivals: tuple[str, ...], gone: int, wait: float
) -> None:
    leases = Leases("watched", settings.relay_lease_seconds)
    watched = Watched(pool, publisher, leases, Log("test", "error"), _gone=gone)
    await say(pool, range(1))

    async def forgotten() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM outbox WHERE bucket = ANY ($1)", list(mine))

    async with pool.acquire() as connection:
        await leases.prepare(connection)
        await leases.renew(connection)
        for rival in rivals:
            await Leases(rival, 60.0).renew(connection)  # finds no bucket free, and is let have its share
        mine = await leases.renew(connection)
    async with relaying(watched):
        await until(forgotten)

    assert watched.waits[1] == wait
