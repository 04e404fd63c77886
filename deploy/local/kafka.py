"""How does a real Apache Kafka run on this machine without being installed?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.broker import Installation, Ports, installation, quick_flags, run_broker
from deploy.local.errors import LocalServerError
from deploy.local.process import ServerProcess, accepts, free_port

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """A running broker. All methods block; from asyncio use ``asyncio.to_thread``."""

    data_dir: Path
    process: ServerProcess
    port: int

    @property
    def bootstrap(self) -> str:
        """The address that clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """What clients are given: the same as ``bootstrap``."""
        return self.bootstrap

    @property
    def pid(self) -> int:
        """The broker's process."""
        return self.process.pid

    def stop(self) -> None:
        """End it in order. A second call does nothing."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it at once, as a crash would."""
        self.process.kill()

    def __enter__(self) -> Self:
        """Return the server; leaving the block stops it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()


def start_kafka(
    data_dir: Path,
    *,
    port: int = 0,
    benchmark: bool = False,
    settings: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> KafkaServer:
    """Start one broker (KRaft, its own controller) on this data directory, which is made on first use.

    It listens on 127.0.0.1, on a free port unless one is given; to start again at the same address give the port.
    ``benchmark`` lets the optimising compiler work; ``tell`` hears about long preparations.
    Raises :class:`LocalServerError`.
    """
    made = installation(tell)
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    flags = quick_flags(made, benchmark=benchmark)
    if port:
        if accepts(port):
            raise LocalServerError(f"port {port} for Kafka is in use: choose another, or give --kafka ADDRESS")
        return KafkaServer(data_dir, run_broker(made, data_dir, Ports(port, free_port()), settings or {}, flags), port)
    return _on_a_free_port(made, data_dir, settings or {}, flags)


def _on_a_free_port(
    made: Installation, data_dir: Path, settings: Mapping[str, str], flags: tuple[str, ...]
) -> KafkaServer:
    """Try again elsewhere when somebody takes the port between our look and the broker's bind."""
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        try:
            return KafkaServer(data_dir, run_broker(made, data_dir, Ports(port, free_port()), settings, flags), port)
        except LocalServerError as error:
            if attempt == _ATTEMPTS or "Address already in use" not in str(error):
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
