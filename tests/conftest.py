"""What may every test ask for? Servers are started when the first test asks, and live as long as the session."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import KafkaServer, PostgresServer, start_kafka, start_postgres
from tests.machines.depth import register
from tests.support.servers import a_kafka, a_postgres, fresh_database, unique_name

register()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The administrator's DSN of a real PostgreSQL."""
    with a_postgres() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """The address of a real Kafka."""
    with a_kafka() as bootstrap:
        yield bootstrap


@pytest.fixture
async def postgres_database(postgres_dsn: str) -> AsyncIterator[str]:
    """The DSN of an empty database of the test's own; for a clone of a template use ``fresh_database``."""
    async with fresh_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
def unique_topic() -> str:
    """A topic's name that no other test has; the test makes the topic."""
    return unique_name("topic")


@pytest.fixture
def private_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, that it may stop, kill and start again; as durable as in earnest."""
    with start_postgres(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
def private_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A Kafka of the test's own, that it may stop, kill and start again."""
    with start_kafka(tmp_path / "kafka") as server:
        yield server
