"""What do tests of the runtime stand on? A schema of their own, a table of effects, a topic, a publisher."""

from collections.abc import AsyncIterator

import pytest

from services.runtime.database import Pool
from services.runtime.publishing import KafkaPublisher
from services.runtime.settings import Settings
from tests.support.floor import make_topic, migrated_pool, settings_for
from tests.support.tiny import EFFECTS


@pytest.fixture
async def tiny(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Give the pool of a service that writes effects."""
    async with migrated_pool(settings_for(postgres_dsn, "localhost:9092")) as pool:
        await pool.execute(EFFECTS)
        yield pool


@pytest.fixture
async def settings(postgres_dsn: str, kafka_bootstrap: str) -> Settings:
    """Return the settings of a service, whose topic is there."""
    made = settings_for(postgres_dsn, kafka_bootstrap)
    await make_topic(made, "case.commands")
    return made


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """Give the pool of a service with a schema of its own."""
    async with migrated_pool(settings) as made:
        yield made


@pytest.fixture
async def publisher(settings: Settings) -> AsyncIterator[KafkaPublisher]:
    """Give what the relay publishes with."""
    made = KafkaPublisher(settings)
    yield made
    await made.close()
