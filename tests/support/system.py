"""How does a test run the whole product: `caseloop up` as a process of its own, on servers of its own?"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 120.0
STOP_SECONDS = 40.0
FACT_SECONDS = 60.0
AWAKE = ("--policy", str(Path(__file__).with_name("awake.toml")))
"""The options of a system that sends SMS at every time of day."""


@dataclass(slots=True)
class System:
    """A running product and what its readiness line said."""

    process: "subprocess.Popen[str]"
    data_dir: Path
    ready: dict[str, Any]
    started_seconds: float

    @property
    def kafka(self) -> str:
        """Return the bootstrap address."""
        return str(self.ready["kafka"])

    @property
    def postgres(self) -> str:
        """Return the administrator's DSN."""
        return str(self.ready["postgres"])

    def http(self, service: str) -> str:
        """Return the base URL of a service's own port."""
        return str(self.ready["http"][service])

    def pid(self, service: str) -> int:
        """Return the process id that a service had when the system became ready."""
        return int(self.ready["pids"][service])

    def present_pid(self, service: str) -> int:
        """Return the present process of a service: `up` restarts a dead one."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it may have ended since the list was made
                    if f"services.{service}" in process.cmdline():
                        return process.pid
            time.sleep(0.05)
        raise AssertionError(f"{service} was not restarted")

    def replica(self, service: str, **others: str) -> "subprocess.Popen[bytes]":
        """Start a second process of a service with the environment of the first; nobody restarts it."""
        return self.beside(service, service, f"services.{service}", **others)

    def beside(self, neighbour: str, service: str, module: str, **others: str) -> "subprocess.Popen[bytes]":
        """Start a process of a service that is told what its neighbour is told, and more; nobody restarts it."""
        environment = psutil.Process(self.present_pid(neighbour)).environ()
        environment.pop("CASELOOP_ANNOUNCE_FILE", None)
        environment["CASELOOP_HTTP_PORT"] = environment[f"CASELOOP_{service.upper()}_HTTP_PORT"] = "0"
        environment |= others
        return subprocess.Popen(
            [sys.executable, "-m", module],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def sms(self) -> str:
        """Return the base URL of the local SMS provider."""
        return str(self.ready["providers"]["sms"])

    def cli(self, *words: str, check: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one `caseloop` command against this system."""
        return caseloop(*words, data_dir=self.data_dir, check=check, **environment)

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


def caseloop(*words: str, data_dir: Path, check: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run one `caseloop` command; ``data_dir`` says which system it speaks to."""
    command = [sys.executable, "-m", "services.cli", *words]
    surroundings = {**os.environ, "CASELOOP_DATA_DIR": str(data_dir), **environment}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180, env=surroundings)
    if check and done.returncode:
        raise AssertionError(f"caseloop {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def until(fact: Callable[[], bool], what: str) -> None:
    """Wait for a fact, at most a minute."""
    deadline = time.monotonic() + FACT_SECONDS
    waiting = psutil.Process()
    while not fact():
        assert time.monotonic() < deadline, f"{what} did not come true"
        psutil.wait_procs([waiting], timeout=0.1)


def start_system(data_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> System:
    """Start `caseloop up --json` and return when it says that it is ready."""
    began = time.monotonic()
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.err").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "up", "--json", "--data-dir", str(data_dir), *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(STOP_SECONDS)
        raise AssertionError(f"caseloop up did not start: {(data_dir / 'up.err').read_text()[-2000:]}")
    return System(process, data_dir, json.loads(line), time.monotonic() - began)


@contextlib.contextmanager
def running_system(data_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[System]:
    """Give a running system and stop it afterwards."""
    system = start_system(data_dir, *options, environment=environment)
    try:
        yield system
    finally:
        system.stop()
