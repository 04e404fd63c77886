"""FastStream and asyncpg by hand, as their documentation teaches: one message per handler, publish after commit.

Its program is ``programs/plain_step.py``, one process for each step. Nothing is lost: a record is acknowledged after
its step was stored and the next record sent (``DEFAULTS`` say otherwise). Nothing is counted twice: the table of what
was seen tells. Yet a crash between commit and publish says the same twice, and a reader without such a table would do
it twice; and there are no clocks, no promises, no journal and no parking lot. It is what the same libraries give
without caseloop.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager

import asyncpg

from tests.bench.peers.event import STEPS
from tests.bench.peers.programs import plain_step
from tests.bench.peers.stand import Stand, Stored, program

NAME = "plain"
SETTINGS = (
    "FastStream and asyncpg by hand: a process for each step, a pool of 10 connections each, at least once, every step "
    "one transaction; counted are the versions in its table of cases"
)
DEFAULTS = (
    "acks=1, offsets committed every 5 s whether the step was done or not (AckPolicy.ACK_FIRST: a crash may lose the "
    "record in hand and repeats up to 5 s of others, and a step that fails is not tried again), asyncio's own loop"
)
CASES = 2000
TOPICS: Sequence[str] = tuple(plain_step.TOPICS.values())[1:]


def missing() -> str:
    """Return nothing: the product needs the same libraries."""
    return ""


@asynccontextmanager
async def running(stand: Stand, *, defaults: bool = False) -> AsyncIterator[None]:
    """Make its tables and run a process for each step."""
    connection = await asyncpg.connect(stand.postgres)
    await connection.execute(plain_step.SCHEMA)
    await connection.close()
    command = (sys.executable, "-m", plain_step.__name__)
    with ExitStack() as stack:
        for step in STEPS:
            words = (step, plain_step.DEFAULTS) if defaults else (step,)
            stack.enter_context(program(stand, f"plain-{step}", *command, *words))
        yield


async def stored(stand: Stand) -> Stored:
    """Count in its tables."""
    connection = await asyncpg.connect(stand.postgres)
    cases = await connection.fetchval("SELECT count(*) FROM plain.cases WHERE state = 'close' AND version = 5")
    steps = await connection.fetchval("SELECT coalesce(sum(version), 0) FROM plain.cases")
    await connection.close()
    return Stored(cases, steps)
