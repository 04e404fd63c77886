"""What does a row act upon: a running product under load, with every handle to hurt it?"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import httpx

from deploy.local import KafkaServer, PostgresServer
from tests.chaos.load import Load
from tests.support.cluster import Cluster
from tests.support.driver import Driver
from tests.support.history import History, Verdict
from tests.support.history.recording import SERVICES, Addresses
from tests.support.killing import kill, restarted
from tests.support.proxy import Door
from tests.support.system import System

CUSTOMERS = 1_000_000
"""More than one driver ever has."""
SERVICE_NAMES = tuple(SERVICES)
GOES_ON_SECONDS = 60.0
Check = Callable[[History, Verdict], None]


@dataclass(slots=True)
class Servers:
    """Kafka and PostgreSQL of a whole chaos session, or a row's own; a row may end them and start them again."""

    kafka: KafkaServer
    postgres: PostgresServer


@dataclass(slots=True)
class Rig:
    """One row at work."""

    servers: Servers
    system: System
    addresses: Addresses
    driver: Driver
    load: Load
    seed: int
    dice: random.Random
    cluster: Cluster | None = None
    postgres_door: Door | None = None
    figures: dict[str, object] = field(default_factory=dict)
    """What else the row measures."""
    checks: list[Check] = field(default_factory=list)
    """What else must hold at the end."""
    slow: list[str] = field(default_factory=list)
    """What took too long or was too little: it says something on a machine that nobody else uses, and no harm."""
    parked: int = 0
    """How many records this row means to end in the lots."""
    replicas: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    _drivers: int = 0

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def hurt(self, times: int, least: int, what: str) -> None:
        """Note how often the harm was done; a row that did less than it says proves nothing."""
        self.figures[what] = times
        if times < least:
            said = f"{what.replace('_', ' ')}: {times}, at least {least} were meant"
            self.must(lambda _, verdict: verdict.add("stuck", "the row itself", said))

    def between(self, least: float, most: float) -> float:
        """Return a number that the seed decides."""
        return self.dice.uniform(least, most)

    async def until(self, fact: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for a fact with a deadline."""
        async with asyncio.timeout(seconds):
            while not fact():  # noqa: ASYNC110 - the fact lies in another process, which sets no event of ours
                await asyncio.sleep(0.02)

    async def until_table(
        self, database: "asyncpg.Connection[asyncpg.Record]", query: str, wanted: object, seconds: float = 30.0
    ) -> None:
        """Wait with a deadline until this query has this value."""
        async with asyncio.timeout(seconds):
            while await database.fetchval(query) != wanted:  # noqa: ASYNC110 - the fact lies in a table
                await asyncio.sleep(0.05)

    async def pid(self, service: str) -> int:
        """Return the present process of a service."""
        return await asyncio.to_thread(self.system.present_pid, service)

    async def pids(self) -> list[int]:
        """Return the present processes of all services."""
        return [await self.pid(service) for service in SERVICE_NAMES]

    def nobody_ended(self, before: Sequence[int], after: Sequence[int]) -> None:
        """Judge that every process has waited, and none has ended and come back; `up` says how one ended."""
        if before != after:
            said = (self.system.data_dir / "up.err").read_text("utf-8").splitlines()
            ends = "; ".join(line for line in said if " ended (" in line)
            self.must(lambda _, verdict: verdict.add("stuck", "the services", f"one ended instead of waiting: {ends}"))

    async def hit(self, service: str, number: signal.Signals) -> int:
        """Send a signal to a service and return whom it met."""
        pid = await self.pid(service)
        os.kill(pid, number)
        return pid

    async def kill(self, *services: str) -> None:
        """Kill these at once and return when `up` has started each again."""
        await kill(self.system, *services)

    async def restarted(self, service: str, pid: int) -> None:
        """Return when another process has taken the place of this one."""
        await restarted(self.system, service, pid)

    async def replica(self, service: str, **others: str) -> "subprocess.Popen[bytes]":
        """Start a second process of a service; nobody restarts it."""
        process = await asyncio.to_thread(lambda: self.system.replica(service, **others))
        self.replicas.append(process)
        return process

    async def ended(self, process: "subprocess.Popen[bytes]", seconds: float = 40.0) -> int:
        """Wait for the end of a replica and return its status."""
        return await asyncio.to_thread(process.wait, seconds)

    @contextlib.asynccontextmanager
    async def database(self, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Give a connection to the schema of a service, past any door."""
        connection = await asyncpg.connect(self.addresses.postgres, server_settings={"search_path": service})
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def another_driver(self, **others: Any) -> AsyncIterator[Driver]:  # noqa: ANN401 - fields of a driver
        """Give a driver with customers of its own; what it sends belongs to the history."""
        self._drivers += 1
        first = CUSTOMERS * self._drivers
        run = f"{self.driver.run}-{self._drivers}"
        given = {"closing": False, "said": self.driver.said, "prefix": self.driver.prefix, "_number": count(first)}
        driver = Driver(self.driver.bootstrap, run, **{**given, **others})
        await driver.start()
        try:
            yield driver
        finally:
            await driver.stop()

    async def provider(self, **behaviour: object) -> None:
        """Let the SMS provider behave differently from now on; nothing said: well."""
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            (await client.post(f"{self.addresses.sms}/behaviour", json=behaviour)).raise_for_status()

    async def metric(self, address: str, name: str) -> float:
        """Return the sum of a metric of the process at this address."""
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            text = (await client.get(f"{address}/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def goes_on(self, seconds: float, share: float = 0.0) -> None:
        """Let time pass, and more until cases are closed despite the fault; ``share`` of what begins is fast enough."""
        before = self.driver.closed
        await self.wait(seconds)
        closed = self.driver.closed - before
        self.figures["closed_meanwhile"] = closed
        if closed < max(1.0, share * self.load.rate * seconds):
            self.slow.append(f"the traffic: {closed} cases in {seconds:.0f} s")
        try:
            await self.until(lambda: self.driver.closed > before, GOES_ON_SECONDS)
        except TimeoutError:
            self.must(lambda _, verdict: verdict.add("stuck", "the traffic", "no case was closed during the fault"))

    def must(self, check: Check) -> None:
        """Judge this as well, at the end."""
        self.checks.append(check)

    def end_replicas(self) -> None:
        """Kill what the row left running."""
        for process in self.replicas:
            if process.poll() is None:
                process.kill()
                process.wait()
