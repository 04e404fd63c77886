"""Where does a test get a real PostgreSQL and a real Kafka?

Given addresses come first, then containers when an engine answers, then the embedded servers of ``deploy.local``. A
test that gets none fails.
"""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local import start_kafka, start_postgres

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.3.1"
_QUICK_BROKER: Mapping[str, str] = {"log.retention.check.interval.ms": "300000"}


@contextmanager
def a_postgres() -> Iterator[str]:
    """Give the administrator's DSN of a server for the whole test session."""
    given = os.environ.get("TEST_POSTGRES_DSN")
    if given:
        yield given
    elif container_engine_answers():
        with _postgres_container() as dsn:
            yield dsn
    else:
        with _scratch() as folder, start_postgres(folder / "postgres", fsync=False) as server:
            yield server.dsn


@contextmanager
def a_kafka() -> Iterator[str]:
    """Give the bootstrap address of a broker for the whole test session."""
    given = os.environ.get("TEST_KAFKA_BOOTSTRAP")
    if given:
        yield given
    elif container_engine_answers():
        with _kafka_container() as bootstrap:
            yield bootstrap
    else:
        with _scratch() as folder, start_kafka(folder / "kafka", settings=_QUICK_BROKER) as server:
            yield server.bootstrap


def container_engine_answers() -> bool:
    """Whether containers can be started; asked only where an engine's socket or address is to be seen."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=3)
        with client:
            return bool(client.ping())
    except DockerException:
        return False


def unique_name(what: str = "test") -> str:
    """Return a name that no other test has, right for topics, groups, schemas and databases alike."""
    return f"{what}_{secrets.token_hex(6)}"


@asynccontextmanager
async def fresh_database(admin_dsn: str, template: str = "template1") -> AsyncIterator[str]:
    """Give the DSN of a clone of the template, dropped afterwards whoever is still connected."""
    name = unique_name("db")
    await _execute(admin_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield dsn_of(admin_dsn, name)
    finally:
        await _execute(admin_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


async def ensure_template(admin_dsn: str, name: str, fill: Callable[[str], Awaitable[None]]) -> str:
    """Make a template database once, filled by ``fill(dsn)``; returns its name, for :func:`fresh_database`."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name) is None:
            half_made = unique_name(name)
            await connection.execute(f'CREATE DATABASE "{half_made}"')
            await fill(dsn_of(admin_dsn, half_made))
            await connection.execute(f'ALTER DATABASE "{half_made}" RENAME TO "{name}"')
    finally:
        await connection.close()
    return name


def dsn_of(dsn: str, database: str) -> str:
    """Return the same server's DSN of another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="caseloop-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _postgres_container() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    server = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command("postgres -c fsync=off -c max_connections=200")
    with server:
        yield server.get_connection_url()


@contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    from deploy.local.process import free_port

    port = free_port()
    broker = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    for key, value in _container_settings(port).items():
        broker = broker.with_env(key, value)
    with broker.waiting_for(LogMessageWaitStrategy("Kafka Server started")):
        yield f"127.0.0.1:{port}"


def _container_settings(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": "2097152",
    }
