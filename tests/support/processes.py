"""How does a test run a tiny service as a process of its own?"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.runtime.frames import Frame
from services.runtime.publishing import KafkaPublisher
from services.runtime.settings import STANDARD_POLICY, Settings
from tests.support.floor import until


@dataclass(slots=True)
class Process:
    """A running service and where it can be asked."""

    process: asyncio.subprocess.Process
    announced: Path

    @property
    def http(self) -> str:
        """Return the base address."""
        return f"http://127.0.0.1:{json.loads(self.announced.read_text())['port']}"

    async def is_announced(self) -> bool:
        """Tell whether it listens; a process that ended tells its reason."""
        if self.process.returncode is not None:
            raise AssertionError((await self.process.communicate())[1].decode())
        return self.announced.exists()


def environment(settings: Settings, **others: str) -> dict[str, str]:
    """Return what the process is told."""
    given = {
        "CASELOOP_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CASELOOP_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "CASELOOP_TOPIC_PREFIX": settings.topic_prefix,
        "CASELOOP_START_WAIT_SECONDS": "1",
    }
    return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"} | given | others


async def begun(name: str, env: Mapping[str, str], *words: str) -> asyncio.subprocess.Process:
    """Start it; it may refuse."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.tiny_service", name, *words,
        env=env, cwd=STANDARD_POLICY.parents[2],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@asynccontextmanager
async def running(name: str, env: Mapping[str, str], tmp_path: Path, *words: str) -> AsyncIterator[Process]:
    """Give a process that listens, and kill it if the test has not ended it."""
    announced = tmp_path / f"{secrets.token_hex(4)}.json"
    process = await begun(name, {**env, "CASELOOP_ANNOUNCE_FILE": str(announced)}, *words)
    try:
        made = Process(process, announced)
        await until(made.is_announced)
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def publish(settings: Settings, *frames: Frame) -> None:
    """Publish as somebody else would."""
    publisher = KafkaPublisher(settings)
    assert (await publisher.publish({0: frames}, 10.0)).problem is None
    await publisher.close()
