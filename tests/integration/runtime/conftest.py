"""What does a test of the runtime's storage stand on? A schema of its own, with a table of effects."""

from collections.abc import AsyncIterator

import pytest

from services.runtime.database import Pool
from tests.support.floor import migrated_pool, settings_for
from tests.support.tiny import EFFECTS


@pytest.fixture
async def tiny(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Give the pool of a service that writes effects."""
    async with migrated_pool(settings_for(postgres_dsn, "localhost:9092")) as pool:
        await pool.execute(EFFECTS)
        yield pool
