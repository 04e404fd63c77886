"""Do the servers of ``deploy.local`` start, survive, refuse and end as they say?"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import (
    KafkaServer,
    LocalServerError,
    PostgresServer,
    jars,
    java,
    start_kafka,
    start_postgres,
    start_servers,
)
from deploy.local.process import free_port, spawn
from tests.support.servers import ensure_template, fresh_database, unique_name

DEADLINE_SECONDS = 20.0


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or only waits to be buried."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not fact() and time.monotonic() < deadline:
        os.sched_yield()
    return fact()


async def fetch(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def make_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def write(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await asyncio.wait_for(consumer.getone(), DEADLINE_SECONDS)
        value: bytes | None = record.value
        return value
    finally:
        await consumer.stop()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


async def test_postgres_keeps_what_was_committed_when_it_is_killed(private_postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(private_postgres.dsn)
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('durable')")
    await asyncio.to_thread(private_postgres.kill)
    await connection.close()
    with await asyncio.to_thread(start_postgres, private_postgres.data_dir) as again:
        assert again.dsn == private_postgres.dsn
        assert await fetch(again.dsn, "SELECT word FROM kept") == "durable"
        assert await fetch(again.dsn, "SHOW fsync") == "on"


async def test_postgres_asks_for_a_password_on_tcp(tmp_path: Path) -> None:
    with await asyncio.to_thread(start_postgres, tmp_path / "postgres", tcp_port=0, fsync=False) as server:
        assert await fetch(server.tcp_dsn_of("postgres"), "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://postgres:guess@127.0.0.1:{server.port}/postgres")


def test_postgres_does_not_run_as_root(private_postgres: PostgresServer) -> None:
    assert psutil.Process(private_postgres.pid).uids().real != 0
    assert private_postgres.socket_dir.stat().st_mode & 0o077 == 0


def test_postgres_names_a_port_in_use(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(LocalServerError, match=f"port {taken_port} for PostgreSQL is in use: choose another"):
        start_postgres(tmp_path / "postgres", tcp_port=taken_port)


def test_postgres_says_why_it_cannot_run_twice_on_the_same_data(private_postgres: PostgresServer) -> None:
    with pytest.raises(LocalServerError, match=r"postmaster\.pid.* already exists"):
        start_postgres(private_postgres.data_dir, socket_dir=private_postgres.data_dir.parent / "s")


async def test_kafka_keeps_records_over_a_stop_and_a_kill(private_kafka: KafkaServer) -> None:
    topic = unique_name("topic")
    await make_topic(private_kafka.bootstrap, topic)
    await write(private_kafka.bootstrap, topic, b"durable")
    await asyncio.to_thread(private_kafka.stop)
    again = await asyncio.to_thread(start_kafka, private_kafka.data_dir, port=private_kafka.port)
    assert again.bootstrap == private_kafka.bootstrap
    assert await read(again.bootstrap, topic) == b"durable"
    await asyncio.to_thread(again.kill)
    # A crashed broker is let in again only when its old session is over: 9 s unless told otherwise.
    impatient = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "200"}
    with await asyncio.to_thread(start_kafka, private_kafka.data_dir, benchmark=True, settings=impatient) as third:
        assert await read(third.bootstrap, topic) == b"durable"


async def test_kafka_makes_no_topic_by_itself(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        unknown = unique_name("topic")
        described = await admin.describe_topics([unknown])
        assert described[0]["error_code"] == 3, "UNKNOWN_TOPIC_OR_PARTITION"
        assert unknown not in await admin.list_topics()
    finally:
        await admin.close()


def test_kafka_names_a_port_in_use(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(LocalServerError, match=f"port {taken_port} for Kafka is in use: choose another"):
        start_kafka(tmp_path / "kafka", port=taken_port)


def test_kafka_goes_elsewhere_when_its_port_is_taken_meanwhile(
    tmp_path: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([taken_port, free_port(), free_port(), free_port()])
    monkeypatch.setattr("deploy.local.kafka.free_port", lambda: next(ports))
    with start_kafka(tmp_path / "kafka") as server:
        assert server.port != taken_port


def test_ports_found_together_are_not_the_same() -> None:
    """The five services of a system get theirs before any of them listens."""
    ports = [free_port() for _ in range(1000)]
    assert len(set(ports)) == len(ports)


def test_kafka_says_what_it_died_of(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match=r"Kafka did not start: .*num\.network\.threads") as told:
        start_kafka(tmp_path / "kafka", settings={"num.network.threads": "-1"})
    assert "\n" not in str(told.value)


def test_kafka_runs_on_the_java_of_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java.find_java().executable == java.wheel_java()
    with start_kafka(tmp_path / "kafka") as server:
        assert psutil.Process(server.pid).exe() == str(java.wheel_java())


def test_no_java_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "wheel_java", lambda: None)
    with pytest.raises(LocalServerError, match="Kafka needs Java 17 or newer: install one"):
        java.find_java()


def test_a_jar_that_the_lock_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{'0' * 64}  org.slf4j:slf4j-api:1.7.36\n")
    monkeypatch.setattr(jars, "_LOCK", lock)
    monkeypatch.setenv("CASELOOP_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(
        LocalServerError, match=r"slf4j-api:1\.7\.36 is not the jar that the lock knows: it was removed"
    ):
        jars.kafka_jars()
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_download_that_fails_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{'0' * 64}  org.slf4j:slf4j-api:1.7.36\n")
    monkeypatch.setattr(jars, "_LOCK", lock)
    monkeypatch.setenv("CASELOOP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        LocalServerError, match=r"slf4j-api:1\.7\.36 cannot be fetched \(ProxyError: .*--kafka ADDRESS"
    ) as told:
        jars.kafka_jars()
    assert "\n" not in str(told.value)


def test_both_start_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "kafka").write_text("a file where a folder has to be")
    with pytest.raises((LocalServerError, OSError)):
        start_servers(tmp_path, fsync=False)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists(), "the other one was stopped again"


def test_servers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-m", "deploy.local", "up", tmp_path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        json.loads(parent.stdout.readline())
        children = [child.pid for child in psutil.Process(parent.pid).children()]
        assert len(children) == 2
        parent.kill()
    assert eventually(lambda: all(has_ended(pid) for pid in children))


def test_servers_end_in_order_on_sigterm(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "up", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        addresses = json.loads(parent.stdout.readline())
        assert set(addresses) == {"postgres", "kafka"}
        children = [child.pid for child in psutil.Process(parent.pid).children()]
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(DEADLINE_SECONDS) == 0
    assert all(has_ended(pid) for pid in children)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


def test_a_server_that_does_not_listen_to_its_signal_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.process.STOP_SECONDS", 0.1)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = spawn("deaf", [sys.executable, "-c", deaf], tmp_path / "log")
    process.wait_until(lambda: "deaf" in process.said(), DEADLINE_SECONDS)
    process.stop()
    assert process.popen.returncode == -signal.SIGKILL


async def test_a_database_is_a_clone_of_its_template_and_goes_with_its_test(postgres_dsn: str) -> None:
    async def fill(dsn: str) -> None:
        await fetch(dsn, "CREATE TABLE word AS SELECT 'cloned' AS word")

    template = await ensure_template(postgres_dsn, unique_name("template"), fill)
    async with fresh_database(postgres_dsn, template) as dsn:
        assert await fetch(dsn, "SELECT word FROM word") == "cloned"
        name = await fetch(dsn, "SELECT current_database()")
    known = await fetch(postgres_dsn, "SELECT array_agg(datname) FROM pg_database")
    assert isinstance(known, list)
    assert name not in known
