"""What does a peer stand on while it is measured, and what has each peer to offer?"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.process import ServerProcess, spawn
from tests.bench.peers.event import CLOSED, CONTACTS, PARTITIONS
from tests.bench.workload import Ground
from tests.support.servers import fresh_database, unique_name

INSTALL = "make bench-peers"
HOME = Path("build/peers")
"""Where that installs."""
PYTHON = HOME / "python" / "bin" / "python"
"""An environment of its own: what peers need is no business of the product's."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One round's ground: a database, topics and a folder that nobody used before."""

    kafka: str
    postgres: str
    folder: Path
    prefix: str
    """Of its topics."""

    def environment(self) -> dict[str, str]:
        """Return what a program is told."""
        return {
            "PEER_KAFKA": self.kafka,
            "PEER_POSTGRES": self.postgres,
            "PEER_PREFIX": self.prefix,
            "PYTHONUNBUFFERED": "1",
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """What a peer has kept."""

    cases: int
    """Cases that went through all their steps."""
    steps: int
    """Steps of all cases."""


class Peer(Protocol):
    """What a peer's module says and does."""

    NAME: str
    """Its name in figures."""
    SETTINGS: str
    """How it runs at its best, and how its steps are counted."""
    DEFAULTS: str
    """What is otherwise when it runs as its makers left it, and what a crash does then that it does not at its best."""
    CASES: int
    """Of a run at saturation: some seconds of work."""
    TOPICS: Sequence[str]
    """Which it needs beside the first and the last."""

    def missing(self) -> str:
        """Return what has to be installed first, or nothing."""

    def running(self, stand: Stand, *, defaults: bool = False) -> AbstractAsyncContextManager[None]:
        """Run it here, at its best or as its makers left it."""

    async def stored(self, stand: Stand) -> Stored:
        """Count what it has kept."""


@asynccontextmanager
async def a_stand(ground: Ground, name: str, topics: Sequence[str]) -> AsyncIterator[Stand]:
    """Give a stand with these topics beside the first and the last."""
    prefix = f"{unique_name(name)}."
    folder = ground.scratch / prefix
    folder.mkdir()
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(prefix + topic, PARTITIONS, 1) for topic in (CONTACTS, *topics, CLOSED)])
    await admin.close()
    async with fresh_database(ground.postgres) as dsn:
        connection = await asyncpg.connect(ground.postgres)
        await connection.execute("CHECKPOINT")
        await connection.close()
        yield Stand(ground.kafka, dsn, folder, prefix)


@contextmanager
def program(stand: Stand, name: str, *command: str) -> Iterator[ServerProcess]:
    """Run a program of a peer until the end of the block; its log lies in the stand's folder."""
    process = spawn(name, command, stand.folder / f"{name}.log", environment=stand.environment())
    try:
        yield process
    finally:
        process.stop()
