"""DBOS: workflows in Python whose steps PostgreSQL keeps.

Its program is ``programs/dbos_cases.py``. Records start workflows under an id of their own, as its page on events says;
its decorator for Kafka is slower here: it waits up to a second for a full batch and goes through a queue. A crash
between the last record and the end of its step says it twice.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager

import asyncpg

from tests.bench.peers.stand import INSTALL, PYTHON, Stand, Stored, program

NAME = "dbos"
SETTINGS = (
    "DBOS on the same PostgreSQL, every step a commit that is synced, two processes of 8 threads each (as many as it "
    "likes are slower here), workflows started with the id of their record instead of through a queue, the record sent "
    "within the last step; counted are the steps in dbos.operation_outputs"
)
DEFAULTS = "one process, as many threads as there are cases under way"
CASES = 300
TOPICS: Sequence[str] = ()
PROGRAM = "tests.bench.peers.programs.dbos_cases"
EXECUTORS, THREADS = ("dbos-1", "dbos-2"), "8"


def missing() -> str:
    """Return what has to be installed first, or nothing."""
    return "" if PYTHON.exists() else INSTALL


@asynccontextmanager
async def running(stand: Stand, *, defaults: bool = False) -> AsyncIterator[None]:
    """Run its processes, which make its tables themselves."""
    command = (str(PYTHON.absolute()), "-m", PROGRAM)
    with ExitStack() as stack:
        for executor in EXECUTORS[:1] if defaults else EXECUTORS:
            words = (executor,) if defaults else (executor, THREADS)
            stack.enter_context(program(stand, executor, *command, *words))
        yield


async def stored(stand: Stand) -> Stored:
    """Count in its tables."""
    connection = await asyncpg.connect(stand.postgres)
    cases = await connection.fetchval("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")
    steps = await connection.fetchval("SELECT count(*) FROM dbos.operation_outputs")
    await connection.close()
    return Stored(cases, steps)
