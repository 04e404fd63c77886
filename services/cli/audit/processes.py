"""How is the reading shared among the machine's processors, and how far has it come?"""

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized

from services.cli.audit.parts import Order, Part, Stretch, read, read_apart, stand_back
from services.cli.failures import CommandError

APART_MIN = 20_000
"""Fewer records are read in this process: starting others takes longer."""
PROCESSES_MAX = 4
LOOK_SECONDS = 0.2

_done: "Synchronized[int] | None" = None


async def read_all(order: Order, progress: Callable[[int], None]) -> list[Part]:
    """Read everything that is ordered, with as many processes as are worth it; ``progress`` hears of new records."""
    records = sum(stretch.records for stretch in order.stretches)
    processes = min(len(os.sched_getaffinity(0)), PROCESSES_MAX)
    if records < APART_MIN or processes == 1:
        return [await read(order, progress)]
    orders = [
        replace(order, name=f"{order.name}{number}", stretches=stretches)
        for number, stretches in enumerate(shares(order.stretches, processes))
    ]
    return await _read_apart(orders, progress)


def shares(stretches: Sequence[Stretch], processes: int) -> list[list[Stretch]]:
    """Deal the stretches out, the longest first, each to who has least."""
    dealt: list[list[Stretch]] = [[] for _ in range(processes)]
    for stretch in sorted(stretches, key=lambda each: -each.records):
        min(dealt, key=lambda share: sum(each.records for each in share)).append(stretch)
    return [share for share in dealt if share]


async def _read_apart(orders: Sequence[Order], progress: Callable[[int], None]) -> list[Part]:
    # Spawned, not forked: this process has an event loop and connections that a copy must not touch.
    context = multiprocessing.get_context("spawn")
    counter: Synchronized[int] = context.Value("q", 0)
    told = 0
    with ProcessPoolExecutor(len(orders), context, _begin, (counter,)) as pool:
        loop = asyncio.get_running_loop()
        waiting = asyncio.gather(*(loop.run_in_executor(pool, _work, order) for order in orders))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=LOOK_SECONDS)
            now = counter.value
            progress(now - told)
            told = now
        try:
            return await waiting
        except BrokenProcessPool:
            raise CommandError("a process that was reading was ended from outside: audit again") from None


def _begin(counter: "Synchronized[int]") -> None:
    global _done  # noqa: PLW0603 - set once, when the process starts
    _done = counter
    stand_back()


def _work(order: Order) -> Part:
    return read_apart(order, _count)


def _count(records: int) -> None:
    if _done is not None:
        with _done.get_lock():
            _done.value += records
