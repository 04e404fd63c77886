"""How much is parked at this moment, as whoever watches the metrics sees it?"""

import asyncio

from services.runtime import metrics
from services.runtime.database import Pool
from services.runtime.lifecycle import wait

LOOK_SECONDS = 5.0
WAITING = ("retry", "dead")

PARKED = """
-- gauges.parked: how many records wait for their retry or for a person
SELECT status, count(*) AS records FROM parked WHERE status = ANY ($1::text[]) GROUP BY status
"""


async def gauges_loop(pool: Pool, stopping: asyncio.Event) -> None:
    """Look every few seconds until told to stop."""
    while not stopping.is_set():
        found = {row["status"]: row["records"] for row in await pool.fetch(PARKED, WAITING)}
        for status in WAITING:
            metrics.PARKED.labels(status=status).set(found.get(status, 0))
        await wait(stopping, LOOK_SECONDS)
