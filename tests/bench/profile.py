"""On which kind of work does a running service spend its processor time? py-spy samples it, the frames say.

``py-spy`` looks at a process from outside, a hundred times a second, and leaves out threads that wait for something. A
thread that waits only for a processor is not told apart from one that has it.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.workload import NoResultError

RATE = 100
"""Samples per second."""
LOOP = "loop"
REST = "rest"
RULES: Mapping[str, re.Pattern[str]] = {
    part: re.compile(pattern)
    for part, pattern in {
        "produce": r"\(aiokafka/producer/|^unpack \(|runtime/(publishing|relay)\.py",
        "encode": r"\.model_dump(_json)? \(|^seal \(|^Message\.value \(|runtime/(outbox|frames|json_text|tracing)\.py",
        "SQL": r"\(asyncpg/|/storage[/.]|/statements\.py|runtime/(inbox|offsets|database|leases|timers|parking)\.py",
        "read": r"\(aiokafka/consumer/|\(faststream/|runtime/(subscription|handover|waiting)\.py",
        "decode": r"\.model_validate_json \(|^Message\.read \(|runtime/(envelope|lenient)\.py",
        "HTTP": r"\((aiohttp|httpx|uvicorn|starlette)/|/senders/|runtime/(http|front)\.py",
        "decide": r"runtime/work\.py|\(services/(?!runtime/)\w+/(?!__main__|app)",
        REST: r"\(services/runtime/",
    }.items()
}
"""By kind of work, the frames that tell it: ``function (file:line)``. Of two that fit a frame the first has it."""
SHARED = re.compile(r"\(aiokafka/|\(asyncio/streams\.py")
"""A connection to a broker, of which nothing tells whether it serves reader or writer: most of its bytes are read."""
PARTS = ("read", "decode", "decide", "SQL", "encode", "produce", "HTTP", LOOP, REST)


def part_of(stack: str) -> str:
    """Return the kind of work of a stack, frames from the outermost to the innermost; the innermost that tells wins.

    Where the innermost frame is the one that runs the event loop, the loop's own code is at work: sockets, callbacks.
    """
    frames = stack.split(";")
    if frames[-1].startswith("Runner.run ("):
        return LOOP
    told = next((part for frame in reversed(frames) for part, rule in RULES.items() if rule.search(frame)), REST)
    return "read" if told == REST and any(SHARED.search(frame) for frame in frames) else told


def counted(raw: str) -> Counter[str]:
    """Return the samples of each kind of work in py-spy's raw form: a stack, a space and a number on each line."""
    samples: Counter[str] = Counter()
    for stack, _, number in (line.rpartition(" ") for line in raw.splitlines()):
        samples[part_of(stack)] += int(number)
    return samples


@contextmanager
def sampled(services: Mapping[str, int], folder: Path) -> Iterator[dict[str, Counter[str]]]:
    """Look at these processes by name; what was seen stands in the result when the block is over."""
    found: dict[str, Counter[str]] = {}
    spies = {name: _spy(pid, folder / f"{name}.stacks") for name, pid in services.items()}
    try:
        yield found
    finally:
        for spy in spies.values():
            spy.send_signal(signal.SIGINT)
        said = {name: spy.communicate()[1] for name, spy in spies.items()}
    for name, problem in said.items():
        path = folder / f"{name}.stacks"
        if not path.exists():
            raise NoResultError(
                f"py-spy saw nothing of {name} (not root, and ptrace is restricted?): {problem.strip()}"
            )
        found[name] = counted(path.read_text("utf-8"))


def _spy(pid: int, output: Path) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--format", "raw"]
    command += ["--rate", str(RATE), "--output", str(output)]
    try:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise NoResultError("py-spy is missing: `make bench` installs it") from None
