"""How does one service run alone, as in production, on servers that only the benchmark uses?"""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from services.runtime import kafka
from services.runtime.database import Pool, open_pool
from services.runtime.frames import Frame
from services.runtime.migrations import migrate
from services.runtime.publishing import KafkaPublisher
from services.runtime.settings import STANDARD_POLICY, Settings
from tests.bench.workload import Ground, NoResultError
from tests.support.floor import settings_for, until
from tests.support.processes import Process, environment
from tests.support.servers import fresh_database

START_SECONDS = 30.0
PUBLISH_MAX = 5_000
"""Messages of one publish."""
PARTITIONS = 12


@dataclass(slots=True)
class Alone:
    """A service, its tables, and a hand that puts messages on its topics."""

    settings: Settings
    pool: Pool
    publisher: KafkaPublisher
    process: Process = field(init=False)

    async def tell(self, frames: Iterable[Frame]) -> None:
        """Put these on their topics."""
        portion = list(frames)
        for start in range(0, len(portion), PUBLISH_MAX):
            published = await self.publisher.publish({0: portion[start : start + PUBLISH_MAX]}, START_SECONDS)
            if published.problem is not None:
                raise NoResultError(f"the broker did not take the load: {published.problem}")

    async def until_stored(self, statement: str, wanted: int, seconds: float) -> None:
        """Wait until this statement counts so many."""

        async def there() -> bool:
            return bool(await self.pool.fetchval(statement) == wanted)

        try:
            await until(there, seconds)
        except TimeoutError:
            found = await self.pool.fetchval(statement)
            raise NoResultError(f"{found} of {wanted} after {seconds:.0f} s: {statement}") from None


@asynccontextmanager
async def alone(ground: Ground, service: str, **told: str) -> AsyncIterator[Alone]:
    """Run this service with topics and a database of its own."""
    async with fresh_database(ground.postgres) as dsn:
        settings = settings_for(dsn, ground.kafka, topic_partitions=PARTITIONS)
        await kafka.create_topics(settings)
        connection = await asyncpg.connect(dsn)
        await migrate(connection, service)
        await connection.close()
        publisher = KafkaPublisher(settings)
        async with open_pool(settings, service) as pool:
            made = Alone(settings, pool, publisher)
            async with _running(service, settings, ground.scratch, told) as made.process:
                yield made
        await publisher.close()


@asynccontextmanager
async def _running(service: str, settings: Settings, scratch: Path, told: dict[str, str]) -> AsyncIterator[Process]:
    announced, errors = scratch / f"{secrets.token_hex(4)}.json", scratch / f"{service}.log"
    with errors.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.{service}",
            env=environment(settings, CASELOOP_ANNOUNCE_FILE=str(announced), **told),
            cwd=STANDARD_POLICY.parents[2], stdout=log, stderr=log,
        )  # fmt: skip
    made = Process(process, announced)
    try:
        await until(made.is_announced, START_SECONDS)
        yield made
        if process.returncode is not None:
            raise NoResultError(f"{service} ended by itself: {errors.read_text()[-2000:]}")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
