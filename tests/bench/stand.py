"""What does one of several products that run beside each other use of the processors?"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import asyncpg
import psutil

from deploy.local import start_kafka, start_postgres
from tests.bench.processor import each
from tests.bench.workload import Ground
from tests.bench.workloads.closed_loop import names_of, saturate
from tests.support.driver import Driver
from tests.support.floor import until
from tests.support.system import System

QUIET_SECONDS = 60.0
TOLD = """
-- Whether the latest state of every case has been told.
SELECT NOT EXISTS (SELECT FROM router.snapshots_due)
"""


@contextmanager
def beside(ground: Ground, name: str, options: Mapping[str, str]) -> Iterator[Ground]:
    """Give a second broker and a second PostgreSQL, like the first."""
    folder = ground.scratch / name
    with start_kafka(folder / "kafka") as kafka, start_postgres(folder / "postgres", options=options) as postgres:
        yield replace(ground, kafka=kafka.bootstrap, postgres=postgres.dsn, scratch=folder)


@dataclass(frozen=True, slots=True)
class Stand:
    """A running product, who uses it, and one connection that looks at its tables."""

    system: System
    driver: Driver
    connection: asyncpg.Connection
    names: Mapping[int, str]
    """Who is who, by process id; PostgreSQL's processes come and go and are not here."""
    postmaster: int

    async def sample(self, cases: int) -> dict[str, float]:
        """Return the milliseconds that a case takes by process, with all that follows its close, without autovacuum.

        The latest states are told seconds after the last event: without them a sample's end would belong to nobody, or
        to the next one.
        """
        before = self._used()
        await saturate(self.driver, cases)
        await self.driver.until_quiet(QUIET_SECONDS)
        await until(self._told, QUIET_SECONDS)
        return each(before, self._used(), cases, 1000)

    async def _told(self) -> bool:
        return bool(await self.connection.fetchval(TOLD))

    def vacuumed(self) -> float:
        """Return the seconds that autovacuum has used so far; what has ended of PostgreSQL was it: connections stay."""
        times = psutil.Process(self.postmaster).cpu_times()
        return times.children_user + times.children_system + sum(map(_seconds, self._children(vacuum=True)))

    def _used(self) -> Mapping[str, float]:
        used: defaultdict[str, float] = defaultdict(float)
        for pid, name in self.names.items():
            used[name] += _seconds(psutil.Process(pid))
        used["postgres"] = _seconds(psutil.Process(self.postmaster))
        used["postgres"] += sum(map(_seconds, self._children(vacuum=False)))
        return used

    def _children(self, *, vacuum: bool) -> Iterator[psutil.Process]:
        for process in psutil.Process(self.postmaster).children():
            with suppress(psutil.NoSuchProcess):  # a worker may have ended: its time is the parent's then
                if ("autovacuum worker" in " ".join(process.cmdline())) == vacuum:
                    yield process


async def stand_of(system: System, driver: Driver) -> Stand:
    """Return the stand of a product and its driver."""
    connection = await asyncpg.connect(system.postgres)
    backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    product, services = psutil.Process(system.process.pid), names_of(system)
    names = {product.pid: "up", os.getpid(): "driver", _broker(system.kafka): "kafka"}
    for process in product.children(recursive=True):
        names[process.pid] = services.get(process.pid) or "sms_double"
    return Stand(system, driver, connection, names, backend.ppid())


def _broker(bootstrap: str) -> int:
    """Return the process that listens there."""
    port = int(bootstrap.rpartition(":")[2])
    for process in psutil.Process().children(recursive=True):
        if "kafka.Kafka" in process.cmdline() and any(
            each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in process.net_connections("tcp")
        ):
            return process.pid
    raise LookupError(f"nobody listens on {bootstrap}")


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
