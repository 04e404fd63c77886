"""How does a command find the ``caseloop up`` that runs in a data directory?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "up.json"


class Running(BaseModel):
    """What ``up`` leaves for others: the readiness line, and what a command needs besides."""

    model_config = ConfigDict(frozen=True)

    pid: int
    began: float
    """When that process began, so that another process with its number is not taken for it."""
    kafka: str
    postgres: str
    http: Mapping[str, str]
    pids: Mapping[str, int]
    providers: Mapping[str, str]
    topic_prefix: str = ""
    policy: str | None = None

    def readiness(self) -> dict[str, Any]:
        """Return the line of ``up --json`` (interface.md 5)."""
        known = self.model_dump(include={"kafka", "postgres", "http", "pids", "providers"})
        return {"ready": True, **known}


def running(data_dir: Path) -> Running | None:
    """Return what runs there now, or ``None``; what a killed ``up`` left behind does not count."""
    try:
        state = Running.model_validate_json((data_dir / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return state if _lives(state) else None


def write(data_dir: Path, state: Running) -> None:
    """Leave the state, whole or not at all, readable for its owner only: an address may hold a password."""
    draft = data_dir / f"{FILE}.{state.pid}"
    draft.touch(mode=0o600)
    draft.write_bytes(orjson.dumps(state.model_dump()) + b"\n")
    draft.replace(data_dir / FILE)


def forget(data_dir: Path) -> None:
    """Take the state away: nothing runs any more."""
    (data_dir / FILE).unlink(missing_ok=True)


def began(pid: int) -> float:
    """Return when a process began, in seconds of the epoch."""
    return float(psutil.Process(pid).create_time())


def _lives(state: Running) -> bool:
    try:
        return abs(began(state.pid) - state.began) < 1.0
    except psutil.NoSuchProcess:
        return False
