"""What may every test of followup's storage ask for?"""

from collections.abc import AsyncIterator

import pytest

from tests.integration.followup.stand import Stand, a_stand


@pytest.fixture
async def stand(postgres_database: str) -> AsyncIterator[Stand]:
    """Give followup with the standard policy on a database of its own."""
    async with a_stand(postgres_database) as ready:
        yield ready
