"""On which machine was something measured? A figure says little without it."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import psutil

from tests.support.commit import present_commit


def machine() -> dict[str, Any]:
    """Return what a report says of this machine."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": present_commit(),
        "load": round(os.getloadavg()[0], 2),
    }


class Share:
    """How much of the processors' time went where since this was made: to whoever else was there, to nobody."""

    def __init__(self) -> None:
        """Begin to look."""
        self._began = time.perf_counter()
        self._before = psutil.cpu_times()
        self._own = _own()

    def parts(self) -> dict[str, float]:
        """Return percent of all cores: stolen by the host, idle, and busy for others than us and our children."""
        now, whole = psutil.cpu_times(), (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        passed = {name: getattr(now, name, 0.0) - getattr(self._before, name, 0.0) for name in ("steal", "idle")}
        busy = sum(now[:3]) - sum(self._before[:3])
        others = max(busy - (_own() - self._own), 0.0)
        found = {"steal": passed["steal"], "idle": passed["idle"], "others": others}
        return {f"{name}_percent": round(100 * seconds / whole, 1) for name, seconds in found.items()}


def _own() -> float:
    """Return the processor seconds of this process and of all that it has waited for or still has."""
    seconds = sum(psutil.Process().cpu_times()[:4])
    for child in psutil.Process().children(recursive=True):
        try:
            seconds += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return float(seconds)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
