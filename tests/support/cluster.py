"""How do three brokers stand on one machine, so that one of them can be killed?

The brokers of ``deploy.local``, each a process with a storage and a number of its own, that elect a controller among
themselves. What they replicate is durable as long as two of the three live.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

from deploy.local.broker import Installation, Ports, installation, quick_flags, run_broker
from deploy.local.process import ServerProcess, free_port

BROKERS = 3
_INTERNAL = (
    "offsets.topic.replication.factor", "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
)  # fmt: skip


@dataclass(slots=True)
class Cluster:
    """Three brokers; all methods block."""

    folder: Path
    made: Installation
    ports: tuple[Ports, ...]
    processes: dict[int, ServerProcess] = field(default_factory=dict)
    """By number, 1 to 3; one that was killed stays here until it is started again."""

    @property
    def bootstrap(self) -> str:
        """The addresses that clients connect to."""
        return ",".join(f"127.0.0.1:{port.clients}" for port in self.ports)

    def start(self, *numbers: int) -> None:
        """Start these brokers, which need one another to become ready."""
        with ThreadPoolExecutor(len(numbers)) as pool:
            self.processes.update(zip(numbers, pool.map(self._run, numbers), strict=True))

    def kill(self, number: int) -> None:
        """Kill a broker at once, as a crash would."""
        self.processes[number].kill()

    def stop(self) -> None:
        """End all; nobody waits for data that nobody will read."""
        for process in self.processes.values():
            process.kill()

    def _run(self, number: int) -> ServerProcess:
        data = self.folder / str(number)
        storage = data / "log"
        if not storage.exists():
            copytree(self.made.template, storage)
            meta = storage / "meta.properties"
            kept = [line for line in meta.read_text("utf-8").splitlines() if not line.startswith("directory.id")]
            meta.write_text("\n".join(kept).replace("node.id=1", f"node.id={number}") + "\n", "utf-8")
        voters = ",".join(f"{one}@127.0.0.1:{port.controller}" for one, port in enumerate(self.ports, start=1))
        settings = {
            "node.id": str(number),
            "controller.quorum.voters": voters,
            **dict.fromkeys(_INTERNAL, str(BROKERS)),
            # A killed broker is missed after seconds, so that a test need not wait for a minute.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "replica.lag.time.max.ms": "3000",
        }
        return run_broker(self.made, data, self.ports[number - 1], settings, quick_flags(self.made, benchmark=False))


@contextmanager
def three_brokers(folder: Path) -> Iterator[Cluster]:
    """Give a cluster of three brokers that ends with the block."""
    ports = tuple(Ports(free_port(), free_port()) for _ in range(BROKERS))
    cluster = Cluster(folder, installation(), ports)
    try:
        cluster.start(*range(1, BROKERS + 1))
        yield cluster
    finally:
        cluster.stop()
