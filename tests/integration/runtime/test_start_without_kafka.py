"""What does a service do that starts while Kafka is away?"""

import asyncio
import json
import secrets
import signal
import socket
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from contracts.message import derived_id
from deploy.local import KafkaServer, start_kafka
from services.runtime import kafka, timers
from services.runtime.clock import SystemClock
from services.runtime.database import Pool, open_pool
from services.runtime.outbox import framed
from services.runtime.settings import Settings
from services.runtime.timers import Timer
from services.runtime.tracing import UNTRACED
from tests.support.floor import CASES, NOW, migrate_schema, milestone, outbox_ids, reading, settings_for, until
from tests.support.processes import environment, publish, running

STOP_SECONDS_MAX = 5.0


async def timer_is_set(settings: Settings, pool: Pool, case: UUID) -> None:
    """Set a timer that is due."""
    async with pool.acquire() as connection, connection.transaction():
        await timers.schedule(
            connection, [Timer(derived_id(case, settings.topic_prefix), SystemClock().now(), "look", str(case), {})]
        )


async def test_it_waits_and_fires_its_timers_and_says_what_they_said_when_kafka_comes(
    postgres_dsn: str, private_kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = settings_for(postgres_dsn, private_kafka.bootstrap, start_wait_seconds=1.0)
    await kafka.create_topics(settings)
    name = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, name)
    await publish(settings, framed("caseloop/test", milestone(CASES[1], 1), NOW, UNTRACED))
    await asyncio.to_thread(private_kafka.kill)

    async with (
        open_pool(settings, name) as pool,
        running(name, environment(settings), tmp_path) as tiny,
        httpx.AsyncClient(base_url=tiny.http) as http,
    ):
        await timer_is_set(settings, pool, CASES[0])
        await until(lambda: something_waits(pool))
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["kafka"]) == (httpx.codes.SERVICE_UNAVAILABLE, "away")
        assert {name for name, found in ready.json()["checks"].items() if found != "ok"} == {"kafka"}

        with start_kafka(private_kafka.data_dir, port=private_kafka.port):
            async with reading(settings, "notifications", seconds=40) as read_until:
                seen = await read_until(lambda seen: len(seen.records) >= 2)
            await until(lambda: is_ready(http))
            tiny.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS_MAX * 2):
                assert await tiny.process.wait() == 0

    assert {record.key.decode() for record in seen.records} == {str(case) for case in CASES[:2]}


async def something_waits(pool: Pool) -> bool:
    return bool(await outbox_ids(pool))


async def is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/health/ready")).is_success


@pytest.mark.parametrize("hangs", [False, True], ids=["nobody listens", "somebody listens and never answers"])
async def test_it_says_where_it_looks_for_kafka_and_stops_in_time(
    hangs: bool, postgres_dsn: str, tmp_path: Path
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1] if hangs else 1
    settings = settings_for(postgres_dsn, f"127.0.0.1:{port}")
    name = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, name)

    async with running(name, environment(settings), tmp_path) as tiny:
        assert tiny.process.stdout is not None
        async with asyncio.timeout(20):
            while (line := json.loads(await tiny.process.stdout.readline()))["event"] != "loop_interrupted":
                pass
        tiny.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS_MAX):
            _, error = await tiny.process.communicate()
    silent.close()

    assert line["loop"] == "consumer"
    assert line["problem"].startswith(f"CASELOOP_KAFKA_BOOTSTRAP: Kafka at 127.0.0.1:{port}: ")
    assert (tiny.process.returncode, error) == (0, b"")
