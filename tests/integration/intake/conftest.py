"""What do the tests of intake stand on: its schema in a database of the test's own, and its handler."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from contracts.intake import ContactMessage
from contracts.message import Message, derived_id
from contracts.policy import Policy, load_policy
from services.intake.handlers import handler_of
from services.runtime.database import Pool, open_pool
from services.runtime.migrations import migrate, migrations_of
from services.runtime.settings import Settings
from services.runtime.work import Handler, Received, Work
from tests.support.servers import ensure_template, fresh_database

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
STANDARD = Path(__file__).parents[3] / "deploy" / "policies" / "standard.toml"


@dataclass(slots=True)
class Desk:
    """The handler of intake on a real database, and a clock that tests move."""

    pool: Pool
    handler: Handler
    now: datetime = NOW
    sent: int = field(default=0)
    idle: list[object] = field(default_factory=list)
    """What changed nothing, as the handler said."""

    def envelope(self, message: Message, ce_id: str | None = None) -> Received:
        """Return a message as the runtime would give it."""
        self.sent += 1
        name = ce_id or f"event-{self.sent}"
        return Received(
            message=message,
            message_id=derived_id("gateway", name),
            ce_id=name,
            source="gateway",
            type=message.type,
            time=self.now,
            traceparent=None,
            topic=message.topic_name(),
            partition=0,
            offset=self.sent,
            key=message.key(),
        )

    async def take(self, *received: Received) -> list[ContactMessage]:
        """Handle a batch in one transaction and return what is said."""
        async with self.pool.acquire() as connection, connection.transaction():
            work = Work(connection, received, self.now)
            said = await self.handler(work)
        self.idle += [each.message for each in received if id(each) in work.idle]
        return [outgoing.message for outgoing in said if isinstance(outgoing.message, ContactMessage)]

    async def hear(self, *messages: Message) -> list[ContactMessage]:
        """Handle messages as one batch."""
        return await self.take(*(self.envelope(message) for message in messages))

    def later(self, **delay: float) -> None:
        """Move the clock."""
        self.now += timedelta(**delay)


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The shipped pack."""
    return load_policy(STANDARD)


async def _migrated(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, "intake")
    finally:
        await connection.close()


@pytest.fixture
async def desk(postgres_dsn: str, policy: Policy) -> AsyncIterator[Desk]:
    """Intake with an empty memory."""
    template = await ensure_template(postgres_dsn, f"intake_{_migrations_hash()}", _migrated)
    async with fresh_database(postgres_dsn, template) as dsn:
        settings = Settings.model_validate({"kafka_bootstrap": "none:1", "postgres_dsn": SecretStr(dsn)})
        async with open_pool(settings, "intake") as pool:
            yield Desk(pool, handler_of(policy))


def _migrations_hash() -> str:
    """A template is made anew when a migration changed."""
    text = "".join(migration.checksum for migration in migrations_of("intake"))
    return sha256(text.encode()).hexdigest()[:12]
