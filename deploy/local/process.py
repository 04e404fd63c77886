"""How is a server's process started, watched and ended?

A server dies with us however we end. Linux sends the death signal when the *thread* that started the child ends, so
that all are started by one thread that lives as long as this process.
"""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local import launch
from deploy.local.errors import LocalServerError

STOP_SECONDS = 15.0
_POLL_SECONDS = 0.01
_SIGNS = ("FATAL", "Exception: ", "error: ", "ERROR")
"""What the line that names the cause has in it, the most telling first."""
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_PORTS = range(20_000, 32_000)
"""Below the range from which systems take the ports of outgoing connections: a port found free stays free."""
_PORTS_IN_TURN = itertools.cycle(random.sample(_PORTS, len(_PORTS)))
"""Chance spreads neighbours. None comes twice before all have had their turn: who is given several at once binds the
first long after the last."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A process that was started by us and ends with us."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    began: int
    stop_signal: signal.Signals

    @property
    def pid(self) -> int:
        """The process that a chaos test would kill."""
        return self.popen.pid

    def is_running(self) -> bool:
        """Whether the process is there; it may be busy starting or stopping."""
        return self.popen.poll() is None

    def stop(self) -> None:
        """End it in its own orderly way, by force after 15 seconds. A second call does nothing."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the server is ready; when it ends or time runs out, end it and say why in one line."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running():
                raise LocalServerError(f"{self.name} did not start: {self.last_words()} (its log: {self.log})")
            if time.monotonic() > deadline:
                self.kill()
                raise LocalServerError(f"{self.name} was not ready after {seconds:.0f} s (its log: {self.log})")
            time.sleep(_POLL_SECONDS)

    def said(self) -> str:
        """Return what it has written to its log since this start."""
        with self.log.open("rb") as log:
            log.seek(self.began)
            return log.read().decode("utf-8", "replace")

    def last_words(self) -> str:
        """Return the line of its log that most likely says what went wrong."""
        lines = [line.strip() for line in self.said().splitlines() if line.strip()]
        for sign in _SIGNS:
            for line in lines:
                if sign in line:
                    return line[:300]
        return lines[-1][:300] if lines else f"it ended with status {self.popen.returncode} and said nothing"

    def _end(self, ends_on: signal.Signals) -> None:
        if not self.is_running():
            return
        self.popen.send_signal(ends_on)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def spawn(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Start the program in a session of its own, as ``user`` when given, its output appended to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = log.stat().st_size if log.exists() else 0
    launcher = [
        sys.executable,
        "-I",
        "-S",
        str(Path(launch.__file__)),
        str(os.getpid()),
        str(int(stop_signal)),
        user or "-",
    ]
    popen = _SPAWNER.submit(_popen, [*launcher, *command], log, environment).result()
    return ServerProcess(name, popen, log, began, stop_signal)


def is_root() -> bool:
    """Whether we are root, as whom PostgreSQL refuses to run."""
    return os.geteuid() == 0


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens, and that this process has not given for long."""
    for port in itertools.islice(_PORTS_IN_TURN, 200):
        if _is_free(port):
            return port
    raise LocalServerError(f"no free port between {_PORTS.start} and {_PORTS.stop}: end what listens on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _popen(command: Sequence[str], log: Path, environment: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the words are ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
