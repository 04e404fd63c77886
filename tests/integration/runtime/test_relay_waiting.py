"""How soon does a relay look again: does its own process tell it all, or may others fill its buckets?"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from services.runtime import relay
from services.runtime.database import Connection, Pool
from services.runtime.frames import Frame
from services.runtime.leases import Leases
from services.runtime.logs import Log
from services.runtime.outbox import RETIRE_ROWS
from services.runtime.partitioning import Place
from services.runtime.publishing import KafkaPublisher, Published
from services.runtime.relay import BUSY_SECONDS, IDLE_SECONDS, SOON_SECONDS, Relay
from services.runtime.settings import Settings
from tests.support.floor import DEADLINE_SECONDS, relaying, until
from tests.support.relays import nothing_waits, say


@dataclass(slots=True)
class Watched(Relay):
    """A relay that notes how long it meant to wait before each look."""

    waits: list[float] = field(default_factory=list)

    async def take(self, connection: Connection, arrived: Collection[int]) -> dict[int, list[Frame]]:
        self.waits.append(self._pause)
        return await Relay.take(self, connection, arrived)


class Refusing:
    """Brokers that answer, and take nothing."""

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        del within_seconds, held
        left = {row: [((frame.topic, 0), frame) for frame in frames] for row, frames in rows.items()}
        return Published((), "refused", left)


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


async def test_what_was_left_is_looked_at_soon(settings: Settings, pool: Pool) -> None:
    leases = Leases("watched", settings.relay_lease_seconds)
    watched = Watched(pool, Refusing(), leases, Log("test", "error"))
    await say(pool, range(1))

    async def looked_twice() -> bool:
        return len(watched.waits) > 1

    async with relaying(watched):
        await until(looked_twice)

    assert watched.waits[1] == BUSY_SECONDS


async def test_a_portion_that_was_cut_for_its_size_is_followed_by_the_next_at_once(
    settings: Settings, pool: Pool, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "PORTION_BYTES_MAX", 2)
    monkeypatch.setattr(relay, "CUT_BYTES", 1)
    monkeypatch.setattr(relay, "SOON_SECONDS", 2 * DEADLINE_SECONDS)
    watched = Watched(pool, publisher, Leases("watched", settings.relay_lease_seconds), Log("test", "error"))
    await say(pool, range(3))

    async with relaying(watched):
        await until(lambda: nothing_waits(pool))
