"""In which order does a system come up and go down?

Servers first (ours unless addresses were given), then schemas and topics, then the processes; down in reverse. One
system lives in one data directory.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import Servers, start_kafka, start_postgres, start_servers
from deploy.local.process import ServerProcess
from services.cli import state
from services.cli.connection import Connection
from services.cli.failures import CommandError
from services.cli.operations import apply_migrations, make_topics
from services.cli.up.plan import Options, Program, programs
from services.cli.up.supervisor import Supervisor, Tell
from services.runtime import configuration

_SERVERS = ("kafka", "postgres")


@dataclass(slots=True)
class System:
    """A system that is up."""

    options: Options
    kafka: str
    postgres: str
    programs: list[Program]
    providers: dict[str, str]
    supervisor: Supervisor
    topic_prefix: str
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def state(self) -> state.Running:
        """Return what others need to find it."""
        ours = os.getpid()
        policy = self.options.policy.resolve() if self.options.policy else None
        return state.Running(
            pid=ours,
            began=state.began(ours),
            kafka=self.kafka,
            postgres=self.postgres,
            http={each.name: each.url for each in self.programs if each.name not in self.providers},
            pids={name: pid for name, pid in self.supervisor.pids().items() if name in self.options.services},
            providers=self.providers,
            topic_prefix=self.topic_prefix,
            policy=str(policy) if policy else configuration.ENVIRONMENT.get("CASELOOP_POLICY"),
        )

    def remember(self) -> None:
        """Leave the state for others, anew after each restart."""
        state.write(self.options.data_dir, self.state())

    def connection(self) -> Connection:
        """Return the addresses as commands know them."""
        known = self.state()
        return Connection(
            kafka=self.kafka,
            postgres=self.postgres,
            http=known.http,
            sms=self.providers.get("sms"),
            topic_prefix=self.topic_prefix,
            policy=known.policy,
            pids=known.pids,
            data_dir=self.options.data_dir,
        )


@asynccontextmanager
async def system(options: Options, stopping: asyncio.Event, tell: Tell) -> AsyncIterator[System]:
    """Give a system that is ready (unless stopping came first), and take it down afterwards."""
    with _alone_in(options.data_dir):
        servers = await _servers(options, tell)
        try:
            async with _processes(options, servers, stopping, tell) as running:
                yield running
        finally:
            state.forget(options.data_dir)
            await asyncio.to_thread(servers.stop)


@asynccontextmanager
async def _processes(options: Options, servers: Servers, stopping: asyncio.Event, tell: Tell) -> AsyncIterator[System]:
    kafka = options.kafka or (servers.kafka.bootstrap if servers.kafka else "")
    postgres = options.postgres or (servers.postgres.dsn if servers.postgres else "")
    environment = dict(configuration.ENVIRONMENT)
    found, providers = programs(options, kafka, postgres, environment)
    prefix = environment.get("CASELOOP_TOPIC_PREFIX", "")
    running = System(options, kafka, postgres, found, providers, Supervisor(tell), prefix, stopping)
    await _prepare(running, tell)
    _keep_servers(running.supervisor, servers)
    names = [program.name for program in found]
    try:
        if not stopping.is_set():
            tell(f"starting {', '.join(names)}")
            for program in found:
                running.supervisor.run(program)
            await running.supervisor.ready(found, stopping)
            running.supervisor.changed = running.remember
        yield running
    finally:
        await running.supervisor.stop(names)
        await running.supervisor.stop(_SERVERS)


async def _servers(options: Options, tell: Tell) -> Servers:
    if options.kafka is None or options.postgres is None:
        own = [name for name, given in (("Kafka", options.kafka), ("PostgreSQL", options.postgres)) if given is None]
        tell(f"starting {' and '.join(own)} in {options.data_dir}")
    return await asyncio.to_thread(
        start_servers, options.data_dir, postgres=options.postgres is None, kafka=options.kafka is None, tell=tell
    )


async def _prepare(running: System, tell: Tell) -> None:
    """Bring schemas and topics up to date, both at once."""
    environment = {"CASELOOP_TOPIC_REPLICATION": "1"} if running.options.kafka is None else {}
    applied, made = await asyncio.gather(
        apply_migrations(running.postgres), make_topics(running.connection(), environment)
    )
    if any(applied.values()) or made:
        tell(f"{sum(map(len, applied.values()))} migrations applied, {len(made)} topics created")


def _keep_servers(supervisor: Supervisor, servers: Servers) -> None:
    """Let the servers of ours come back too, at their old addresses."""
    if servers.kafka is not None:
        kafka = servers.kafka

        def kafka_again() -> ServerProcess:
            return start_kafka(kafka.data_dir, port=kafka.port).process

        supervisor.keep("kafka", kafka_again, kafka.process)
    if servers.postgres is not None:
        postgres = servers.postgres

        def postgres_again() -> ServerProcess:
            return start_postgres(postgres.data_dir, socket_dir=postgres.socket_dir).process

        supervisor.keep("postgres", postgres_again, postgres.process)


@contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; ``CommandError`` when another ``up`` does."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "up.lock").open("w")
    except OSError as problem:
        raise CommandError(f"--data-dir {data_dir}: {problem.strerror}; give a directory that can be written") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            there = state.running(data_dir)
            who = f" (process {there.pid})" if there else ""
            line = f"caseloop runs already in {data_dir}{who}: stop it, or give another --data-dir"
            raise CommandError(line) from None
        yield
