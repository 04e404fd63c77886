"""How does a row get a product of its own: its own database, its own topics, its own processes?"""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from deploy.local import start_postgres
from services.runtime.settings import STANDARD_POLICY
from tests.chaos.load import Load
from tests.chaos.registry import Row
from tests.chaos.rig import Rig, Servers
from tests.support.cluster import three_brokers
from tests.support.driver import Driver
from tests.support.history.recording import Addresses
from tests.support.proxy import Door, door_to
from tests.support.servers import fresh_database, unique_name
from tests.support.system import AWAKE, System, running_system

Kind = TypeVar("Kind")
AGENTS = 2
PARTITIONS = "6"


@asynccontextmanager
async def rig_for(row: Row, servers: Servers, folder: Path, seed: int, rate: float) -> AsyncIterator[Rig]:
    """Give it, and take it down afterwards."""
    prefix = f"{unique_name(f'row{row.number}')}."
    async with AsyncExitStack() as stack:
        own = Servers(servers.kafka, servers.postgres)
        cluster = await _entered(stack, three_brokers(folder / "kafka")) if row.three_brokers else None
        kafka = cluster.bootstrap if cluster else own.kafka.bootstrap
        if cluster is None:
            stack.push_async_callback(_forget_topics, kafka, prefix)
        postgres, postgres_door = await _database(stack, own, folder, row)
        system = await _system(
            stack, folder, row, ("--kafka", kafka, "--postgres", _way(postgres, postgres_door)), prefix
        )
        driver = Driver(kafka, f"r{row.number}", said=[], prefix=prefix)
        await driver.start()
        stack.push_async_callback(driver.stop)
        dice = random.Random(f"{row.number}/{seed}")
        addresses = Addresses(kafka, postgres, system.sms, prefix)
        rig = Rig(own, system, addresses, driver, Load(driver, rate, dice), seed, dice, cluster, postgres_door)
        stack.callback(rig.end_replicas)
        await driver.agents(AGENTS, row.departments)
        yield rig


async def _entered(stack: AsyncExitStack, manager: AbstractContextManager[Kind]) -> Kind:
    """Enter what blocks, in a thread, and leave it there when the stack ends."""
    entered = await asyncio.to_thread(manager.__enter__)

    async def leave() -> None:
        await asyncio.to_thread(manager.__exit__, None, None, None)

    stack.push_async_callback(leave)
    return entered


async def _database(stack: AsyncExitStack, own: Servers, folder: Path, row: Row) -> tuple[str, Door | None]:
    """Give an empty database, on a server for this row alone if it wants one, and the door before it."""
    if row.own_postgres:
        disk = stack.enter_context(_disk(folder / "disk", row.postgres_megabytes))
        own.postgres = await asyncio.to_thread(start_postgres, disk / "postgres")
        stack.callback(_stop_postgres, own)
    postgres = await stack.enter_async_context(fresh_database(own.postgres.dsn))
    return postgres, await stack.enter_async_context(door_to(postgres)) if row.postgres_door else None


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give a folder, on a small disk of its own when a size is given."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    if not megabytes:
        yield folder
        return
    size = f"size={megabytes}m,mode=755"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)


def _stop_postgres(own: Servers) -> None:
    own.postgres.stop()


def _way(postgres: str, door: Door | None) -> str:
    return door.dsn if door else postgres


async def _forget_topics(bootstrap: str, prefix: str) -> None:
    """Delete the row's topics: the broker would get slower with each row."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([prefix + topic for topic in TOPICS])
    finally:
        await admin.close()


async def _system(stack: AsyncExitStack, folder: Path, row: Row, addresses: tuple[str, ...], prefix: str) -> System:
    environment: Mapping[str, str] = {
        "CASELOOP_TOPIC_PREFIX": prefix,
        "CASELOOP_TOPIC_PARTITIONS": PARTITIONS,
        "CASELOOP_TOPIC_REPLICATION": "3" if row.three_brokers else "1",
        **row.environment,
    }
    policy = ("--policy", str(STANDARD_POLICY.with_name(f"{row.policy}.toml"))) if row.policy else AWAKE
    return await _entered(stack, running_system(folder, *addresses, *policy, environment=environment))
