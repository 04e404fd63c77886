"""Does a record outlive what PostgreSQL really says in a conflict: a statement that took too long, a deadlock?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from services.runtime.database import Pool, open_pool
from services.runtime.retrier import retry_due
from services.runtime.settings import Settings
from services.runtime.work import Outgoing, Work
from tests.delivery.conftest import Ground, marks_reach
from tests.support.floor import DEADLINE_SECONDS
from tests.support.tiny import (
    Notes,
    SettableClock,
    a_consumer,
    consuming,
    effects,
    ended,
    lot,
    number_of,
    publish,
    record_of,
)

SOON, LATE = "50ms", "20s"
"""When a server that stands still asks whether it stands in a circle: who asks first is who gives way."""
LOCKS = "CREATE TABLE locks (name text PRIMARY KEY); INSERT INTO locks VALUES ('here'), ('there')"
PATIENCE = "SELECT set_config('deadlock_timeout', $1, true)"
LOCK = "SELECT name FROM locks WHERE name = $1 FOR UPDATE"


@dataclass(slots=True)
class Sleepy:
    """A handler whose statement takes too long for one record while the server is slow."""

    slow: bool = True
    notes: Notes = field(default_factory=Notes)

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        said = await self.notes(work)
        if self.slow and any(number_of(received.message) == 2 for received in work.received):
            await work.connection.execute("SELECT pg_sleep(60)")
        return said


async def test_a_statement_that_takes_too_long_is_retried_and_succeeds_later(ground: Ground) -> None:
    settings = Settings.model_validate(ground.settings.model_dump() | {"statement_timeout_seconds": 0.2})
    handler, clock = Sleepy(), SettableClock()
    await publish(settings, [record_of(ended(key, number)) for key, number in (("a", 1), ("b", 2), ("c", 3))])
    async with open_pool(settings, ground.schema) as pool:
        consumer = a_consumer(pool, handler, clock)
        async with consuming(settings, consumer, "channel.chat"):
            await marks_reach(ground, 3)
        assert sorted(await effects(pool)) == [("a", 1), ("c", 3)]
        assert await lot(pool) == [("retry", "conflict", 1)]

        handler.slow = False
        assert (await retry_due(consumer.processing, pool, consumer.open_record, consumer.keep)).records == 0
        clock.pass_by(60)
        assert (await retry_due(consumer.processing, pool, consumer.open_record, consumer.keep)).done == 1

    assert sorted(await effects(ground.pool)) == [("a", 1), ("b", 2), ("c", 3)]
    assert [(status, offset) for status, _, offset in await lot(ground.pool)] == [("retried", 1)]


@dataclass(slots=True)
class Duel:
    """Two connections, each of which has one lock and wants the other's."""

    patience: str
    here: asyncio.Event = field(default_factory=asyncio.Event)
    there: asyncio.Event = field(default_factory=asyncio.Event)
    notes: Notes = field(default_factory=Notes)

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        """Handle a record, with the lock that the rival wants in hand."""
        said = await self.notes(work)
        await work.connection.execute(PATIENCE, self.patience)
        await work.connection.execute(LOCK, "here")
        self.here.set()
        await self.there.wait()
        await work.connection.execute(LOCK, "there")
        return said

    async def rival(self, pool: Pool, patience: str) -> None:
        """Take the locks the other way round."""
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(PATIENCE, patience)
            await connection.execute(LOCK, "there")
            self.there.set()
            await self.here.wait()
            await connection.execute(LOCK, "here")


async def _fought(ground: Ground, ours: str, theirs: str) -> tuple[Duel, "asyncio.Task[None]"]:
    """Let a record and a rival stand in each other's way until the record has its ending; return how both went."""
    await ground.pool.execute(LOCKS)
    await publish(ground.settings, [record_of(ended("a", 1))])
    settings = Settings.model_validate(ground.settings.model_dump() | {"lock_timeout_seconds": DEADLINE_SECONDS})
    duel = Duel(ours)
    async with open_pool(settings, ground.schema) as pool:
        rival = asyncio.create_task(duel.rival(pool, theirs))
        async with consuming(settings, a_consumer(pool, duel), "channel.chat"):
            await marks_reach(ground, 1)
        await asyncio.wait({rival})
    return duel, rival


async def test_who_loses_a_deadlock_is_tried_again_at_once_and_handled_once(ground: Ground) -> None:
    duel, rival = await _fought(ground, SOON, LATE)
    assert rival.exception() is None
    assert duel.notes.calls == 2
    assert await effects(ground.pool) == [("a", 1)]
    assert await lot(ground.pool) == []


async def test_who_wins_a_deadlock_does_not_notice_it(ground: Ground) -> None:
    duel, rival = await _fought(ground, LATE, SOON)
    with pytest.raises(asyncpg.DeadlockDetectedError):
        rival.result()
    assert duel.notes.calls == 1
    assert await effects(ground.pool) == [("a", 1)]
    assert await lot(ground.pool) == []
