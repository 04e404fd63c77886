"""How much is parked at this moment, and for how long, as whoever watches the metrics sees it?"""

import asyncio

from services.runtime import metrics, parking_lot
from services.runtime.clock import Clock
from services.runtime.database import Pool
from services.runtime.lifecycle import wait

LOOK_SECONDS = 5.0


async def gauges_loop(pool: Pool, clock: Clock, stopping: asyncio.Event) -> None:
    """Look every few seconds until told to stop."""
    while not stopping.is_set():
        await look(pool, clock)
        await wait(stopping, LOOK_SECONDS)


async def look(pool: Pool, clock: Clock) -> None:
    """Look once."""
    waiting, now = await parking_lot.waiting(pool), clock.now()
    for status in parking_lot.OPEN:
        found = waiting.get(status)
        metrics.PARKED.labels(status=status).set(found.records if found else 0)
        metrics.PARKED_AGE_SECONDS.labels(status=status).set((now - found.since).total_seconds() if found else 0)
