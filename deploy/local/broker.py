"""What does a broker need before it can start quickly: settings, a formatted storage, an archive of its classes?"""

import hashlib
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cache import cache_dir, exclusively
from deploy.local.errors import LocalServerError
from deploy.local.jars import KAFKA_VERSION, kafka_jars
from deploy.local.java import Java, find_java
from deploy.local.process import ServerProcess, free_port, spawn

READY_TIMEOUT_SECONDS = 60.0
CLUSTER_ID = "Y2FzZWxvb3AtbG9jYWwtMQ"
_STARTED = "Kafka Server started"
_QUICK = "-XX:TieredStopAtLevel=1"
"""Half the start-up time; a broker that is to be measured runs without it."""
_ALWAYS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the broker listens on 127.0.0.1: for clients, and for itself as its own controller."""

    clients: int
    controller: int


@dataclass(frozen=True, slots=True)
class Installation:
    """A Java, the broker's class path, and what was prepared once for the two together."""

    java: Java
    class_path: str
    template: Path
    archive: Path


def installation(tell: Callable[[str], None] = lambda _: None) -> Installation:
    """Return what a broker is started from; a machine's first call fetches and prepares it, which takes a while."""
    java = find_java()
    class_path = ":".join(str(jar) for jar in kafka_jars(tell))
    identity = hashlib.sha256(f"{java.executable}{java.version}{class_path}".encode()).hexdigest()[:12]
    folder = cache_dir() / "kafka"
    made = Installation(
        java, class_path, folder / f"storage-{KAFKA_VERSION.replace('.', '-')}", folder / f"classes-{identity}.jsa"
    )
    with exclusively("kafka-prepared"):
        if not (made.template / "meta.properties").exists():
            _format(made)
        if not made.archive.exists():
            tell(f"preparing Apache Kafka {KAFKA_VERSION} for quick starts, once")
            _archive_classes(made)
    return made


def run_broker(
    made: Installation, data_dir: Path, ports: Ports, settings: Mapping[str, str], flags: tuple[str, ...] = ()
) -> ServerProcess:
    """Start a broker on this data directory, which is formatted on first use, and wait until it serves clients."""
    storage = data_dir / "log"
    if not (storage / "meta.properties").exists():
        shutil.copytree(made.template, storage, dirs_exist_ok=True)
    properties = data_dir / "server.properties"
    properties.write_text(_properties(storage, ports, settings), encoding="utf-8")
    command = [str(made.java.executable), *_ALWAYS, *flags, "-cp", made.class_path, "kafka.Kafka", str(properties)]
    process = spawn("Kafka", command, data_dir / "broker.log")
    process.wait_until(lambda: _STARTED in process.said(), READY_TIMEOUT_SECONDS)
    return process


def quick_flags(made: Installation, *, benchmark: bool) -> tuple[str, ...]:
    """Return what makes a start quick; a broker that is to be measured keeps its optimising compiler."""
    archive = (f"-XX:SharedArchiveFile={made.archive}",) if made.archive.stat().st_size else ()
    return archive if benchmark else (*archive, _QUICK)


def _properties(storage: Path, ports: Ports, settings: Mapping[str, str]) -> str:
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{ports.clients},CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports.clients}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(storage),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Larger than what a service accepts (1 MiB), so that it is the service that parks a record that is too large.
        "message.max.bytes": "2097152",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "8388608",
        **settings,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _format(made: Installation) -> None:
    scratch = made.template.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    properties = made.template.with_suffix(".properties")
    properties.write_text(_properties(scratch, Ports(9092, 9093), {}), encoding="utf-8")
    command = [str(made.java.executable), "-XX:+UseSerialGC", _QUICK, "-cp", made.class_path, "kafka.tools.StorageTool"]
    command += ["format", "--cluster-id", CLUSTER_ID, "--config", str(properties)]
    process = spawn("Kafka's storage tool", command, made.template.with_suffix(".log"))
    if process.popen.wait() != 0:
        raise LocalServerError(f"Kafka's storage cannot be formatted: {process.last_words()} (its log: {process.log})")
    scratch.rename(made.template)


def _archive_classes(made: Installation) -> None:
    """Start and stop a broker once; what it loaded goes into an archive, empty where this Java cannot make one."""
    scratch, archive = made.archive.with_suffix(".scratch"), made.archive.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    archive.unlink(missing_ok=True)
    flags = (f"-XX:ArchiveClassesAtExit={archive}", _QUICK)
    process = run_broker(made, scratch, Ports(free_port(), free_port()), {}, flags)
    process.popen.send_signal(signal.SIGTERM)
    process.popen.wait(READY_TIMEOUT_SECONDS)  # writing the archive takes longer than an ordinary stop
    archive.touch()
    archive.rename(made.archive)
    shutil.rmtree(scratch, ignore_errors=True)
