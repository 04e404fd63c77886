"""Restate: a server that keeps a journal of every step, and a service in its Python SDK.

Its program is ``programs/restate_cases.py``. The server reads the topic by a subscription (its newer Kafka integration
comes as a container image only), calls the service for each record, and keeps the result of every ``ctx.run`` in a log
that it syncs. A crash between the last record and its ``ctx.run`` says it twice.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local.process import free_port
from tests.bench.peers.event import CONTACTS
from tests.bench.peers.stand import HOME, INSTALL, PYTHON, Stand, Stored, program
from tests.support.floor import until

NAME = "restate"
SETTINGS = (
    "Restate, its log synced (default), 2 partitions instead of 24 (as many as cores: 24 are slower here), the Python "
    "service on Hypercorn as its production page says, 2 workers, uvloop, streams in both directions, a subscription "
    "with Kafka, the record sent within the last ctx.run; counted are the results of ctx.run in its journals"
)
DEFAULTS = (
    "24 partitions, Hypercorn as it starts: 1 worker, asyncio, at most 100 streams at a time and 1,000 requests in all "
    "on a connection, which it keeps for 5 idle s; its log is synced all the same"
)
CASES = 2000
TOPICS: Sequence[str] = ()
PROGRAM = "tests.bench.peers.programs.restate_cases"
START_SECONDS = 60.0
NODE_MODULES = HOME / "node" / "node_modules" / "@restatedev"
PARTITIONS = "default-num-partitions = 2"
SERVER = """
{partitions}
node-name = "bench"
listen-mode = "tcp"
bind-address = "127.0.0.1:{node}"
advertised-address = "http://127.0.0.1:{node}"
log-filter = "warn"
disable-telemetry = true
[admin]
bind-address = "127.0.0.1:{admin}"
[ingress]
bind-address = "127.0.0.1:{ingress}"
[[ingress.kafka-clusters]]
name = "kafka"
brokers = ["PLAINTEXT://{kafka}"]
"""
BIND = 'bind = "127.0.0.1:{service}"'
PRODUCTION = """
h2_max_concurrent_streams = 2147483647
keep_alive_max_requests = 2147483647
keep_alive_timeout = 2147483647
workers = 2
worker_class = "uvloop"
"""
CASES_STORED = "SELECT count(*) AS n FROM sys_invocation WHERE status = 'completed' AND completion_result = 'success'"
STEPS_STORED = "SELECT count(*) AS n FROM sys_journal WHERE entry_type = 'Notification: Run'"
ADMIN = "admin.address"
"""The file in the stand's folder that says where the server is asked."""


def missing() -> str:
    """Return what has to be installed first, or nothing."""
    return "" if PYTHON.exists() and _server() is not None else INSTALL


def _server() -> Path | None:
    return next(iter(NODE_MODULES.glob("restate-server-*/bin/restate-server")), None)


@asynccontextmanager
async def running(stand: Stand, *, defaults: bool = False) -> AsyncIterator[None]:
    """Run the server and the service, and tell the one of the other and of the topic."""
    ports = {name: free_port() for name in ("node", "admin", "ingress", "service")}
    server, service = stand.folder / "server.toml", stand.folder / "service.toml"
    server.write_text(SERVER.format(kafka=stand.kafka, partitions="" if defaults else PARTITIONS, **ports))
    service.write_text(BIND.format(**ports) + ("" if defaults else PRODUCTION))
    admin = f"http://127.0.0.1:{ports['admin']}"
    (stand.folder / ADMIN).write_text(admin)
    with (
        program(
            stand, "restate-server", str(_server()), "--no-logo", "--config-file", str(server),
            "--base-dir", str(stand.folder / "data"),
        ),
        program(
            stand, "service", str(PYTHON.absolute()), "-m", "hypercorn", "--config", str(service), f"{PROGRAM}:app"
        ),
    ):  # fmt: skip
        async with httpx.AsyncClient(base_url=admin, timeout=START_SECONDS) as client:
            await _told(client, "/deployments", {"uri": f"http://127.0.0.1:{ports['service']}"})
            await _told(client, "/subscriptions", _subscription(stand))
        yield


def _subscription(stand: Stand) -> Mapping[str, Any]:
    return {
        "source": f"kafka://kafka/{stand.prefix}{CONTACTS}",
        "sink": "service://Cases/run",
        "options": {"auto.offset.reset": "earliest"},
    }


async def _told(client: httpx.AsyncClient, path: str, what: Mapping[str, Any]) -> None:
    """Say this until it is taken: both programs need a moment to listen."""

    async def taken() -> bool:
        try:
            return (await client.post(path, json=what)).is_success
        except httpx.TransportError:
            return False

    await until(taken, START_SECONDS)


async def stored(stand: Stand) -> Stored:
    """Ask the server's tables."""
    async with httpx.AsyncClient(base_url=(stand.folder / ADMIN).read_text(), timeout=START_SECONDS) as client:
        return Stored(await _number(client, CASES_STORED), await _number(client, STEPS_STORED))


async def _number(client: httpx.AsyncClient, query: str) -> int:
    answer = await client.post("/query", json={"query": query}, headers={"accept": "application/json"})
    return int(answer.raise_for_status().json()["rows"][0]["n"])
