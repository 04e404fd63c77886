"""Which process has used how much of the processors? On a machine that others use too, this says more than seconds."""

from collections import defaultdict
from collections.abc import Mapping

import psutil

Used = Mapping[str, float]
KINDS = (
    ("kafka.Kafka", "kafka"),
    ("restate-server", "restate"),
    ("bench.peers", "steps"),
    ("build/peers", "steps"),
    ("postgres", "postgres"),
    ("sms", "sms_double"),
)
"""What a command has in it, and the name of such processes; the first that fits."""


def used(names: Mapping[int, str], own: str = "driver") -> Used:
    """Return processor seconds so far by process name, ended children with their parent; ``own`` is this process."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        ended = times.children_user + times.children_system  # of PostgreSQL they were autovacuum, above all
        seconds[names.get(process.pid) or _kind(command)] += times.user + times.system + ended
    times = psutil.Process().cpu_times()
    seconds[own] = times.user + times.system
    return seconds


def each(before: Used, after: Used, count: int, per_second: float) -> dict[str, float]:
    """Return what one of so many things cost, by process and in sum, in parts of a second."""
    parts = {name: (after[name] - before.get(name, 0)) * per_second / count for name in sorted(after)}
    return {**{name: round(value, 3) for name, value in parts.items()}, "sum": round(sum(parts.values()), 2)}


def _kind(command: str) -> str:
    return next((name for mark, name in KINDS if mark in command), "other")
