"""What does a test of desk stand on: a database of its own with desk's tables, and desk's pages over them?"""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.policy import load_policy
from services.desk.routes import answers_over
from services.runtime.database import Pool, open_pool
from services.runtime.migrations import migrate
from services.runtime.settings import STANDARD_POLICY, Settings


@pytest.fixture
async def pool(postgres_database: str) -> AsyncIterator[Pool]:
    """Give a pool on desk's tables."""
    connection = await asyncpg.connect(postgres_database)
    try:
        await migrate(connection, "desk")
    finally:
        await connection.close()
    settings = Settings(kafka_bootstrap="127.0.0.1:9", postgres_dsn=SecretStr(postgres_database))
    async with open_pool(settings, "desk") as opened:
        yield opened


@pytest.fixture
async def pages(pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of desk's pages."""
    app = Starlette(routes=list(answers_over(pool, load_policy(STANDARD_POLICY))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as client:
        yield client
