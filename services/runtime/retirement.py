"""How long is the past remembered, and how is it forgotten cheaply?"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from services.runtime.clock import Clock
from services.runtime.database import Pool
from services.runtime.lifecycle import wait
from services.runtime.logs import Log

ROWS_MAX = 10_000
"""Rows of one transaction: many enough to be cheap, few enough to hold nobody up."""
PAUSE_SECONDS = 600.0

RETIRE_INBOX = """
-- retirement.inbox: repeats older than this are refused at the door, so nobody asks for these ids again
DELETE FROM inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM inbox WHERE received_at < $1 LIMIT $2))
"""

RETIRE_PARKED = """
-- retirement.parked: records that have had their effect or were given up; what people did to them stays
DELETE FROM parked WHERE parked_id IN (
    SELECT parked_id FROM parked WHERE status IN ('retried', 'no_effect', 'discarded') AND changed_at < $1 LIMIT $2
)
"""


RETIRE = (RETIRE_INBOX, RETIRE_PARKED)
"""Each deletes at most ``$2`` rows of what is older than ``$1``."""


async def retirement_loop(
    pool: Pool, clock: Clock, keep: timedelta, also: Sequence[str], log: Log, stopping: asyncio.Event
) -> None:
    """Forget what is older than ``keep``, in small portions, until told to stop; ``also``: statements like ours."""
    while not stopping.is_set():
        rows = await retire(pool, clock, keep, also)
        if rows:
            log.info("retired", rows=rows)
        if rows < ROWS_MAX:
            await wait(stopping, PAUSE_SECONDS)


async def retire(pool: Pool, clock: Clock, keep: timedelta, also: Sequence[str] = ()) -> int:
    """Forget one portion and return how many rows it had."""
    border = clock.now() - keep - timedelta(days=1)
    async with pool.acquire() as connection:
        done = [await connection.execute(statement, border, ROWS_MAX) for statement in (*RETIRE, *also)]
    return sum(int(status.rpartition(" ")[2]) for status in done)
