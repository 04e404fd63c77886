"""Does a service process start, tell how it is, stop in time, and say in one line why it does not start?"""

import asyncio
import json
import os
import secrets
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import httpx
import pytest

from deploy.local import KafkaServer, PostgresServer
from services.runtime import kafka
from services.runtime.frames import Frame
from services.runtime.outbox import framed
from services.runtime.settings import STANDARD_POLICY, Settings
from services.runtime.tracing import UNTRACED
from tests.support.floor import CASES, NOW, migrate_schema, milestone, reading, settings_for
from tests.support.processes import begun, environment, publish, running

STOP_SECONDS_MAX = 10.0


@pytest.fixture
async def settings(postgres_dsn: str, kafka_bootstrap: str) -> Settings:
    made = settings_for(postgres_dsn, kafka_bootstrap, start_wait_seconds=1.0)
    await kafka.create_topics(made)
    return made


@pytest.fixture
async def name(settings: Settings) -> str:
    schema = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, schema)
    return schema


async def refused(name: str, env: Mapping[str, str]) -> tuple[int, str]:
    process = await begun(name, env)
    async with asyncio.timeout(15):
        _, error = await process.communicate()
    text = error.decode()
    assert "Traceback" not in text
    return process.returncode or 0, text


def frame(number: int) -> Frame:
    return framed("caseloop/test", milestone(CASES[number % len(CASES)], number), NOW, UNTRACED)


async def stopped(process: asyncio.subprocess.Process) -> tuple[int, str, str, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(STOP_SECONDS_MAX):
        output, error = await process.communicate()
    return process.returncode or 0, output.decode(), error.decode(), loop.time() - began


async def test_what_comes_in_goes_out_and_health_and_metrics_tell_so(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with running(name, environment(settings), tmp_path) as tiny, httpx.AsyncClient(base_url=tiny.http) as http:
        assert (await http.get("/health/live")).json() == {"live": True}
        ready = await http.get("/health/ready")
        assert ready.json() == {
            "ready": True,
            "checks": dict.fromkeys(("postgres", "kafka", "migrations", "policy", "loops"), "ok"),
            "warnings": {},
        }
        await publish(settings, *(frame(number) for number in range(50)))
        async with reading(settings, "notifications") as read_until:
            await read_until(lambda seen: len(seen.records) >= 50)
        metrics = (await http.get("/metrics")).text
        assert 'caseloop_records_total{ending="done",topic="case.commands"} 50.0' in metrics
        assert "caseloop_outbox_age_seconds" in metrics
        assert 'caseloop_parked{status="dead"} 0.0' in metrics
        assert 'caseloop_consumer_lag{partition="0",topic="case.commands"}' in metrics
        assert json.loads(tiny.announced.read_text())["pid"] == tiny.process.pid


async def test_a_service_is_ready_and_warns_of_what_has_been_parked_for_long(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    told = environment(settings) | {"CASELOOP_PARKED_WARNING_SECONDS": "0.001"}
    async with running(name, told, tmp_path) as tiny, httpx.AsyncClient(base_url=tiny.http) as http:
        bad = frame(1)._replace(value=b"{")
        await publish(settings, bad)
        async with asyncio.timeout(20):
            while not (answer := await http.get("/health/ready")).json()["warnings"]:
                pass
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["warnings"]["parked"].startswith("a record has been parked for")


async def test_sigterm_ends_it_in_time_with_status_0_and_only_json_on_stdout(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with running(name, environment(settings), tmp_path) as tiny:
        await publish(settings, *(frame(number) for number in range(200)))
        status, output, error, seconds = await stopped(tiny.process)

    assert (status, error) == (0, "")
    assert seconds < STOP_SECONDS_MAX
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["event"] for line in lines if line["event"] in ("listening", "stopping", "stopped")] == [
        "listening",
        "stopping",
        "stopped",
    ]
    assert {line["service"] for line in lines} == {name}


async def test_kafka_away_does_not_hold_up_the_stop(
    postgres_dsn: str,
    private_kafka: KafkaServer,
    tmp_path: Path,
) -> None:
    """What was committed stays in the outbox for the next process."""
    settings = settings_for(postgres_dsn, private_kafka.bootstrap)
    await kafka.create_topics(settings)
    name = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, name)
    async with running(name, environment(settings), tmp_path) as tiny, httpx.AsyncClient(base_url=tiny.http) as http:
        await publish(settings, frame(1))
        async with reading(settings, "notifications") as read_until:
            await read_until(lambda seen: len(seen.records) == 1)
        private_kafka.kill()

        ready = await http.get("/health/ready")
        status, _, error, seconds = await stopped(tiny.process)

    assert (ready.status_code, ready.json()["checks"]["kafka"]) == (503, "away")
    assert (status, error) == (0, "")
    assert seconds < STOP_SECONDS_MAX


async def test_servers_that_hang_do_not_hold_up_the_stop(
    kafka_bootstrap: str,
    private_postgres: PostgresServer,
    tmp_path: Path,
) -> None:
    """A server that takes the bytes and answers nothing is worse than one that is away."""
    settings = settings_for(private_postgres.dsn, kafka_bootstrap)
    await kafka.create_topics(settings)
    name = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, name)
    async with running(name, environment(settings), tmp_path) as tiny:
        frozen = [private_postgres.pid, *await backends(settings, name)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await publish(settings, *(frame(number) for number in range(50)))
            status, output, _, seconds = await stopped(tiny.process)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    assert status == 1
    assert json.loads(output.splitlines()[-1])["event"] == "stop_forced"
    assert seconds < STOP_SECONDS_MAX


async def backends(settings: Settings, name: str) -> list[int]:
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    statement = "SELECT pid FROM pg_stat_activity WHERE application_name = $1"
    rows = await connection.fetch(statement, f"caseloop-{name}")
    await connection.close()
    return [row["pid"] for row in rows]


async def test_a_service_heals_after_postgres_cut_all_its_connections(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with running(name, environment(settings), tmp_path) as tiny:
        async with reading(settings, "notifications") as read_until:
            await publish(settings, *(frame(number) for number in range(10)))
            await read_until(lambda seen: len(seen.records) >= 10)
            assert await cut(settings, name) > 0
            await publish(settings, *(frame(number) for number in range(10, 20)))
            seen = await read_until(lambda seen: len(set(seen.ids())) >= 20)
        status, _, error, _ = await stopped(tiny.process)

    assert len(set(seen.ids())) == 20
    assert (status, error) == (0, "")


async def cut(settings: Settings, name: str) -> int:
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
    found: int = await connection.fetchval(statement, f"caseloop-{name}")
    await connection.close()
    return found


async def test_a_loop_that_ends_by_itself_stops_the_service_with_one_line(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with running(name, environment(settings), tmp_path, "dying") as tiny:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            _, error = await tiny.process.communicate()

    assert tiny.process.returncode == 1
    assert error.decode() == f"caseloop {name}: the loop dying_loop ended by itself\n"


async def test_a_wrong_setting_is_one_line_and_status_2(settings: Settings, name: str) -> None:
    status, line = await refused(name, environment(settings, CASELOOP_HTTP_PORT="many"))

    assert status == 2
    assert line == (
        f"caseloop {name}: CASELOOP_HTTP_PORT: the value should be a valid integer, unable to parse string "
        "as an integer; set it to a port number, 0 for any free one\n"
    )


async def test_a_broken_policy_is_one_line_with_file_and_line_and_status_2(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    policy = tmp_path / "broken.toml"
    policy.write_text(STANDARD_POLICY.read_text().replace('version = "1.0.0"', "version = 1.0"))

    status, line = await refused(name, environment(settings, CASELOOP_POLICY=str(policy)))

    assert status == 2
    assert line.startswith(f"caseloop {name}: {policy}:")
    assert "version" in line
    assert line.count("\n") == 1


async def test_postgres_away_is_one_line_with_address_and_key(settings: Settings, name: str) -> None:
    status, line = await refused(
        name,
        environment(settings, CASELOOP_POSTGRES_DSN="postgresql://me:s3cr3t@127.0.0.1:1/caseloop"),
    )

    assert status == 1
    assert line.startswith(f"caseloop {name}: CASELOOP_POSTGRES_DSN: PostgreSQL at 127.0.0.1:1/caseloop: ")
    assert "s3cr3t" not in line
    assert line.count("\n") == 1


async def test_a_missing_migration_says_what_to_run(settings: Settings) -> None:
    name = f"tiny_{secrets.token_hex(4)}"

    status, line = await refused(name, environment(settings))

    assert status == 1
    assert line.startswith(f"caseloop {name}: migration runtime/0001_runtime.sql")
    assert line.endswith("run `caseloop migrate`\n")


async def test_missing_topics_say_what_to_run(settings: Settings, name: str) -> None:
    status, line = await refused(name, environment(settings, CASELOOP_TOPIC_PREFIX="nobody."))

    assert status == 1
    assert "nobody.case.events" in line
    assert line.endswith("run `caseloop topics`\n")


async def test_a_port_in_use_is_one_line_with_the_key(settings: Settings, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, line = await refused(name, environment(settings, CASELOOP_HTTP_PORT=str(port)))

    assert status == 1
    assert line == (
        f"caseloop {name}: CASELOOP_HTTP_PORT: port {port} on 127.0.0.1 is in use; "
        "set it to another port, or to 0 for a free one\n"
    )
