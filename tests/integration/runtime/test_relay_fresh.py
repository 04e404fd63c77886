"""Does a relay go without the bytes of a row exactly as long as nobody else can have changed it?"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from services.runtime import fresh, outbox
from services.runtime.database import Connection, Pool
from services.runtime.frames import Frame, pack
from services.runtime.fresh import STORED
from services.runtime.outbox import BUCKETS, ROW_BYTES_MAX
from services.runtime.partitioning import Place
from services.runtime.publishing import KafkaPublisher, Published
from services.runtime.relay import PORTION_BYTES_MAX, Relay
from services.runtime.settings import Settings
from tests.support.floor import a_relay, relaying, until

MINE = [Frame("case.commands", b"key", b"as it was written", [])]
CHANGED = [Frame("case.commands", b"key", b"as somebody changed it", [])]


@dataclass(slots=True)
class Recorder:
    """Brokers that take everything."""

    rows: list[list[Frame]] = field(default_factory=list)

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        del within_seconds, held
        self.rows += [list(frames) for frames in rows.values()]
        return Published(list(rows))

    async def has_some(self) -> bool:
        return bool(self.rows)


async def written(pool: Pool, relay: Relay, *rows: Sequence[Frame]) -> None:
    """Commit a row for each of these."""
    STORED.set({})
    async with pool.acquire() as connection, connection.transaction():
        for frames in rows:
            await outbox.store(connection, frames)
    relay.fresh.committed()


async def changed(pool: Pool) -> None:
    """Let the bytes of all rows be others: who reads them shows it."""
    await pool.execute("UPDATE outbox SET frames = $1", pack(CHANGED))


async def taken(relay: Relay, connection: Connection) -> list[list[Frame]]:
    return list((await relay.take(connection, ())).values())


@pytest.fixture
async def relay(settings: Settings, pool: Pool, publisher: KafkaPublisher) -> Relay:
    """Return a relay that leases every bucket."""
    made = a_relay(pool, publisher, settings)
    async with pool.acquire() as connection:
        await made.leases.prepare(connection)
        made.fresh.lease(await made.leases.renew(connection))
    assert len(made.fresh.buckets) == BUCKETS
    return made


async def test_what_this_process_has_committed_is_not_read_again(pool: Pool, relay: Relay) -> None:
    await written(pool, relay, MINE)
    assert not STORED.get()  # whoever has copied the context would hold it
    await changed(pool)
    async with pool.acquire() as connection:
        assert await taken(relay, connection) == [MINE]
        assert await taken(relay, connection) == [CHANGED]  # once it did not arrive at the first attempt


async def test_of_what_somebody_has_set_aside_the_remainder_is_read(pool: Pool, relay: Relay) -> None:
    await written(pool, relay, MINE)
    await pool.execute("UPDATE outbox SET frames = $1, waits_for = '{contacts/0}'", pack(CHANGED))
    async with pool.acquire() as connection:
        assert await taken(relay, connection) == [CHANGED]


async def test_a_bucket_that_was_another_s_meanwhile_is_read(pool: Pool, relay: Relay) -> None:
    await written(pool, relay, MINE)
    relay.fresh.lease(())
    relay.fresh.lease(range(BUCKETS))
    await changed(pool)
    async with pool.acquire() as connection:
        assert await taken(relay, connection) == [CHANGED]


async def test_a_backlog_that_unpacks_to_more_than_it_takes_on_disk_is_taken_in_portions(
    pool: Pool, relay: Relay
) -> None:
    large = [[Frame("case.commands", b"key", bytes([each]) * ROW_BYTES_MAX, [])] for each in range(5)]
    async with pool.acquire() as connection, connection.transaction():
        for frames in large:
            await outbox.store(connection, frames)
    assert await pool.fetchval("SELECT sum(octet_length(frames)) FROM outbox") < PORTION_BYTES_MAX / 100

    async with pool.acquire() as connection:
        first = await relay.take(connection, ())
        second = await relay.take(connection, list(first))
        third = await relay.take(connection, list(second))

    assert [len(first), len(second), len(third)] == [2, 2, 1]
    assert [*first.values(), *second.values(), *third.values()] == large


async def test_what_is_another_s_to_send_is_not_kept(pool: Pool, relay: Relay) -> None:
    relay.fresh.lease([outbox.bucket_of(b"key") + 1])
    await written(pool, relay, MINE)
    assert not relay.fresh.rows()


async def test_what_piles_up_is_read_when_its_time_has_come(pool: Pool, relay: Relay) -> None:
    half = [Frame("case.commands", b"key", b"." * (fresh.BYTES_MAX // 2 + 1), [])]
    await written(pool, relay, half, half, MINE)
    assert [row.frames for row in relay.fresh.rows().values()] == [half, MINE]
    async with pool.acquire() as connection:
        found = await taken(relay, connection)
        assert found[:2] == [half, half]
    assert not relay.fresh.rows()
    await written(pool, relay, half)
    assert [row.frames for row in relay.fresh.rows().values()] == [half]


async def test_what_was_taken_before_it_was_known_here_is_forgotten(pool: Pool, relay: Relay) -> None:
    """Else every such row would stay for ever, and soon there were no room for others."""
    STORED.set({})
    async with pool.acquire() as connection, connection.transaction():
        await outbox.store(connection, MINE)
    async with pool.acquire() as connection:
        sent = await relay.take(connection, ())
        relay.fresh.committed()
        assert relay.fresh.rows()
        assert await relay.take(connection, list(sent)) == {}
    assert not relay.fresh.rows()


async def test_a_relay_that_begins_anew_reads_everything(pool: Pool, relay: Relay) -> None:
    """The server may be another one now, which lacks the last commits and gives their ids to other rows."""
    await written(pool, relay, MINE)
    await changed(pool)
    recorder = relay.publisher = Recorder()
    async with relaying(relay):
        await until(recorder.has_some)
    assert recorder.rows == [CHANGED]
