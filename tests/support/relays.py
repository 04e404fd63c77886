"""What do tests of the relay share: brokers that misbehave, fixtures, and something to say?"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from services.runtime import outbox
from services.runtime.database import Pool
from services.runtime.frames import Frame
from services.runtime.partitioning import Place
from services.runtime.publishing import Published, Publisher
from tests.support.floor import (
    CASES,
    NOW,
    Seen,
    milestone,
    outbox_ids,
)

ROUNDS = 20
EVERYTHING = ROUNDS * len(CASES)


@dataclass(slots=True)
class Refusing:
    """Brokers that never answer."""

    asked: list[list[int]] = field(default_factory=list)

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        del within_seconds, held
        self.asked.append(list(rows))
        return Published((), "away")


@dataclass(slots=True)
class Overtaken:
    """Brokers that take everything, but never before somebody has said more."""

    pool: Pool
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: set[int] = field(default_factory=set)

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        del within_seconds, held
        self.asked.set()
        await say(self.pool, [max(rows)])
        self.arrived |= set(rows)
        return Published(list(rows))


@dataclass(slots=True)
class Hanging:
    """Brokers that take the bytes and never acknowledge them."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        del held
        self.asked.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await asyncio.Event().wait()
        return Published((), f"{len(rows)} rows without an ack")


@dataclass(slots=True)
class Forgetting:
    """A process that is killed after the ack: it publishes and then loses what it knows of it."""

    inner: Publisher
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        await self.inner.publish(rows, within_seconds, held)
        self.killed.set()
        await asyncio.Event().wait()
        return Published((), None)


async def say(pool: Pool, numbers: Iterable[int]) -> None:
    for number in numbers:
        async with pool.acquire() as connection, connection.transaction():
            await outbox.append(connection, "caseloop/test", [milestone(case, number) for case in CASES], NOW)


def everything(seen: Seen) -> bool:
    return len(set(seen.ids())) >= EVERYTHING


async def nothing_waits(pool: Pool) -> bool:
    return not await outbox_ids(pool)
