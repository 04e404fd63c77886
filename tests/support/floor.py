"""What does a test of the runtime stand on: a schema, topics and messages of its own on real servers?"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pydantic import SecretStr

from contracts.desk import ReachMilestone
from contracts.message import derived_id
from contracts.topics import TOPICS
from contracts.values import Actor
from services.runtime import kafka
from services.runtime.database import Pool, open_pool
from services.runtime.leases import Leases
from services.runtime.logs import Log
from services.runtime.migrations import migrate
from services.runtime.publishing import Publisher
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from services.runtime.work import Outgoing

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
DEADLINE_SECONDS = 20.0
CASES = tuple(derived_id("a case of a test", number) for number in range(24))


def settings_for(postgres_dsn: str, kafka_bootstrap: str, **others: object) -> Settings:
    """Return settings with a topic prefix that nobody else has."""
    given = {
        "kafka_bootstrap": kafka_bootstrap,
        "postgres_dsn": SecretStr(postgres_dsn),
        "topic_prefix": f"t{secrets.token_hex(4)}.",
        "topic_partitions": 3,
        "topic_replication": 1,
        "relay_lease_seconds": 1.5,
        "publish_timeout_seconds": 5.0,
        "start_wait_seconds": 10.0,
    }
    return Settings.model_validate(given | others)


@asynccontextmanager
async def migrated_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Give a pool on a schema of its own with the runtime's tables."""
    schema = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, schema)
    async with open_pool(settings, schema) as pool:
        yield pool


async def migrate_schema(settings: Settings, schema: str) -> None:
    """Make the schema of a service."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        await migrate(connection, schema)
    finally:
        await connection.close()


async def make_topic(settings: Settings, *names: str) -> None:
    """Create only the topics that a test needs: all of them would take a second."""
    await kafka.create_topics(settings, [TOPICS[name] for name in names])


def milestone(case: UUID, number: int) -> Outgoing:
    """Return the ``number``-th message about a case: on ``case.commands``, keyed by the case."""
    by = Actor(kind="system", id="test")
    message = ReachMilestone(case_id=case, by=by, milestone="refund_issued", details={"number": str(number)})
    return Outgoing(message, derived_id(case, number))


@dataclass(slots=True)
class Seen:
    """What stands on a topic so far."""

    records: list[ConsumerRecord] = field(default_factory=list)

    def numbers(self, case: UUID) -> list[int]:
        """Return the numbers of the messages about a case, in the order in which they stand there."""
        mine = [record for record in self.records if record.key == str(case).encode()]
        return [int(ReachMilestone.read(record.value).details["number"]) for record in mine]

    def first_appearances(self, case: UUID) -> list[int]:
        """Return the same without repeats."""
        return list(dict.fromkeys(self.numbers(case)))

    def ids(self) -> list[bytes]:
        """Return the message ids in order."""
        return [dict(record.headers)["ce_id"] for record in self.records]


@asynccontextmanager
async def reading(
    settings: Settings, *topics: str, seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[Callable[[Callable[[Seen], bool]], Awaitable[Seen]]]:
    """Give a function that reads on until a condition holds and returns all that was seen."""
    names = [settings.topic_prefix + topic for topic in topics]
    consumer = AIOKafkaConsumer(*names, **kafka.client_options(settings), auto_offset_reset="earliest")
    seen = Seen()

    async def read_until(enough: Callable[[Seen], bool]) -> Seen:
        async with asyncio.timeout(seconds):
            while not enough(seen):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    seen.records.extend(records)
        return seen

    await consumer.start()
    try:
        yield read_until
    finally:
        await consumer.stop()


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[Relay]:
    """Let a relay run while the test looks, then stop it in good order."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        yield relay
        stopping.set()


def a_relay(pool: Pool, publisher: Publisher, settings: Settings, *, name: str = "one") -> Relay:
    """Return a relay that has not begun."""
    return Relay(pool, publisher, Leases(name, settings.relay_lease_seconds), Log("test", "error"))


async def until(fact: Callable[[], Awaitable[bool]], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a fact with a deadline."""
    async with asyncio.timeout(seconds):
        while not await fact():  # noqa: ASYNC110 - the fact lies in another process, which sets no event of ours
            await asyncio.sleep(0.01)


async def outbox_ids(pool: Pool) -> Sequence[int]:
    """Return the ids of what waits."""
    return [row["id"] for row in await pool.fetch("SELECT id FROM outbox ORDER BY id")]
