"""How do the two servers start and stop together, in the time of the slower one?"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.errors import LocalServerError
from deploy.local.kafka import KafkaServer, start_kafka
from deploy.local.postgres import PostgresServer, start_postgres


@dataclass(frozen=True, slots=True)
class Servers:
    """What was started: None where nothing was asked for."""

    postgres: PostgresServer | None
    kafka: KafkaServer | None

    def stop(self) -> None:
        """End both in order, at the same time. A second call does nothing."""
        with ThreadPoolExecutor(2) as pool:
            for server in (self.kafka, self.postgres):
                if server is not None:
                    pool.submit(server.stop)

    def __enter__(self) -> Self:
        """Return the servers; leaving the block stops them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the servers."""
        self.stop()


def start_servers(
    data_dir: Path,
    *,
    postgres: bool = True,
    kafka: bool = True,
    fsync: bool = True,
    benchmark: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Servers:
    """Start what is asked for on ``data_dir/postgres`` and ``data_dir/kafka``, both at once.

    When one fails the other is stopped again; raises :class:`LocalServerError` with the reason of each.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(start_postgres, data_dir / "postgres", fsync=fsync) if postgres else None
        second = pool.submit(start_kafka, data_dir / "kafka", benchmark=benchmark, tell=tell) if kafka else None
    failures = [str(future.exception()) for future in (first, second) if future is not None and future.exception()]
    if not failures:
        return Servers(first.result() if first else None, second.result() if second else None)
    for future in (first, second):
        if future is not None and future.exception() is None:
            future.result().stop()
    raise LocalServerError("; ".join(failures))
