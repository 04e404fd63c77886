"""On which machine, and with which servers, was something measured? A figure says little without it."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.jars import KAFKA_VERSION
from deploy.local.java import find_java
from tests.support.commit import present_commit

SETTINGS = """
-- What somebody chose, and what durability rests on whoever chose it; no places of this machine.
SELECT name, current_setting(name) AS setting FROM pg_settings
WHERE name = ANY ($1::text[]) OR source = 'command line' AND name <> ALL ($2::text[])
ORDER BY name
"""
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit", "wal_sync_method")
POSTGRES_PLACES = ("listen_addresses", "port", "unix_socket_directories")
BROKER_PLACES = ("advertised.listeners", "controller.quorum.voters", "listeners", "log.dirs")
UNCHOSEN = 5
"""Kafka's ``DEFAULT_CONFIG``: where a setting comes from that nobody chose."""


def machine() -> dict[str, Any]:
    """Return what a report says of this machine."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": present_commit(),
        "load": round(os.getloadavg()[0], 2),
    }


async def servers(kafka: str, postgres: str) -> dict[str, Any]:
    """Return the versions of the servers of ``deploy.local`` at these addresses, and the settings that were chosen."""
    return {**await _postgres(postgres), **await _broker(kafka)}


async def _postgres(dsn: str) -> dict[str, Any]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(SETTINGS, DURABILITY, POSTGRES_PLACES)
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    settings: dict[str, str] = {row["name"]: row["setting"] for row in rows}
    return {"postgres": version, "postgres_settings": settings, "fsync": settings["fsync"]}


async def _broker(bootstrap: str) -> dict[str, Any]:
    """Ask the broker for what differs from its defaults; no request of Kafka tells its version, our lock does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    node = (await admin.describe_cluster())["brokers"][0]["node_id"]
    said = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, str(node))])
    await admin.close()
    found = [entry[:4] for response in said for resource in response.resources for entry in resource[4]]
    chosen = {name: value for name, value, _, source in found if source != UNCHOSEN and name not in BROKER_PLACES}
    settings = dict(sorted(chosen.items()))
    return {"broker": KAFKA_VERSION, "broker_settings": settings, "java": find_java().version}


class Share:
    """How much of the processors' time went where since this was made: to whoever else was there, to nobody."""

    def __init__(self) -> None:
        """Begin to look."""
        self._began = time.perf_counter()
        self._before = psutil.cpu_times()
        self._own = _own()

    def parts(self) -> dict[str, float]:
        """Return percent of all cores: stolen by the host, idle, and busy for others than us and our children."""
        now, whole = psutil.cpu_times(), (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        passed = {name: getattr(now, name, 0.0) - getattr(self._before, name, 0.0) for name in ("steal", "idle")}
        busy = sum(now[:3]) - sum(self._before[:3])
        others = max(busy - (_own() - self._own), 0.0)
        found = {"steal": passed["steal"], "idle": passed["idle"], "others": others}
        return {f"{name}_percent": round(100 * seconds / whole, 1) for name, seconds in found.items()}


def _own() -> float:
    """Return the processor seconds of this process and of all that it has waited for or still has."""
    seconds = sum(psutil.Process().cpu_times()[:4])
    for child in psutil.Process().children(recursive=True):
        try:
            seconds += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return float(seconds)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
