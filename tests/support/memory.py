"""How much memory did processes need at most? They are looked at again and again while something else goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import psutil

SAMPLE_SECONDS = 0.5
Look = Callable[[], int]
"""Returns bytes."""


@asynccontextmanager
async def watching(looks: Mapping[str, Look]) -> AsyncIterator[dict[str, int]]:
    """Give the most MiB that each has needed so far, seen again and again in the block."""
    most = dict.fromkeys(looks, 0)
    watcher = asyncio.create_task(_watch(looks, most))
    try:
        yield most
    finally:
        watcher.cancel()


def resident(pid: int) -> Look:
    """Return a look at what a process has in memory."""
    return partial(_resident, psutil.Process(pid))


def shared(pid: int) -> Look:
    """Return a look at what a server and all its processes need together, what they share counted once."""
    return partial(_shared, psutil.Process(pid))


async def _watch(looks: Mapping[str, Look], most: dict[str, int]) -> None:
    while True:
        for name, look in looks.items():
            most[name] = max(most[name], await asyncio.to_thread(look) >> 20)
        await asyncio.sleep(SAMPLE_SECONDS)


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _shared(server: psutil.Process) -> int:
    used = 0
    for process in (server, *server.children(recursive=True)):
        try:
            used += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return used
