"""FastStream and asyncpg by hand, as their documentation teaches: one message per handler, publish after commit.

Its program is ``programs/plain_step.py``, one process for each step. Nothing is lost: a record is acknowledged after
its step was stored and the next record sent. Nothing is counted twice: the table of what was seen tells. Yet a crash
between commit and publish says the same twice, and a reader without such a table would do it twice; and there are no
clocks, no promises, no journal and no parking lot. It is what the same libraries give without caseloop.
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
CASES = 2000
TOPICS: Sequence[str] = tuple(plain_step.TOPICS.values())[1:]


def missing() -> str:
    """Return nothing: the product needs the same libraries."""
    return ""


@asynccontextmanager
async def running(stand: Stand) -> AsyncIterator[None]:
    """Make its tables and run a process for each step."""
    connection = await asyncpg.connect(stand.postgres)
    await connection.execute(plain_step.SCHEMA)
    await connection.close()
    with ExitStack() as stack:
        for step in STEPS:
            stack.enter_context(program(stand, f"plain-{step}", sys.executable, "-m", plain_step.__name__, step))
        yield


async def stored(stand: Stand) -> Stored:
    """Count in its tables."""
    connection = await asyncpg.connect(stand.postgres)
    cases = await connection.fetchval("SELECT count(*) FROM plain.cases WHERE state = 'close' AND version = 5")
    steps = await connection.fetchval("SELECT coalesce(sum(version), 0) FROM plain.cases")
    await connection.close()
    return Stored(cases, steps)
