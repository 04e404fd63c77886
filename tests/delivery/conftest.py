"""What does a delivery test stand on? Topics and a schema that nobody else has, on real servers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.runtime.database import Pool, open_pool
from services.runtime.settings import Settings
from tests.support.floor import make_topic, migrate_schema, settings_for, until
from tests.support.tiny import EFFECTS

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Ground:
    """Settings with an own topic prefix, an own schema, and a pool on it."""

    settings: Settings
    schema: str
    pool: Pool


async def marks_reach(ground: Ground, total: int) -> None:
    """Wait until so many records have their ending."""

    async def reached() -> bool:
        return bool(await ground.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM koff") == total)

    await until(reached)


@pytest.fixture
async def ground(postgres_dsn: str, kafka_bootstrap: str) -> AsyncIterator[Ground]:
    """Give empty topics ``channel.chat`` and ``case.events`` and an empty schema."""
    settings = settings_for(postgres_dsn, kafka_bootstrap, topic_partitions=PARTITIONS)
    schema = "tiny_" + settings.topic_prefix[1:-1]
    await make_topic(settings, "channel.chat", "case.events")
    await migrate_schema(settings, schema)
    async with open_pool(settings, schema) as pool:
        await pool.execute(EFFECTS)
        yield Ground(settings, schema, pool)
