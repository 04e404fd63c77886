"""How do stored messages reach Kafka, in order per key and none lost?

Oldest rows of the leased buckets are read, sent, and deleted after the ack. There is no cursor: ids are taken before
the commit, so a row may appear behind a newer one. A crash between ack and delete, or a lease that ran out during a
send, repeats messages and never reorders the first appearance of any: whoever owns the bucket begins with its oldest
row.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.runtime import metrics
from services.runtime.crashing import crash_point
from services.runtime.frames import Frame, unpack
from services.runtime.leases import Leases
from services.runtime.lifecycle import wait
from services.runtime.tracing import UNTRACED, Tracing

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool
    from services.runtime.logs import Log
    from services.runtime.publishing import Publisher

BUSY_SECONDS = 0.005
IDLE_SECONDS = 0.25
FAILED_SECONDS = 1.0
LAST_SECONDS = 2.0
"""How long a relay that is to stop goes on, and its longest publish then: what has not arrived waits in the outbox for
the next process. Other replicas may fill its buckets for ever."""
PORTION_BYTES_MAX = 8_388_608
"""Most bytes of one publish, more only when a single row has more."""
COUNTED_MAX = 10_000

TAKE = """
-- relay.take: forget the rows that have arrived and read the oldest others of the buckets that are mine at this moment
WITH arrived AS (DELETE FROM outbox WHERE id = ANY ($3::bigint[])), oldest AS (
    SELECT id, octet_length(frames) AS size FROM outbox
    WHERE bucket IN (SELECT bucket FROM outbox_leases WHERE owner = $1 AND lease_until > clock_timestamp())
        AND id <> ALL ($3::bigint[])
    ORDER BY id LIMIT $2
), portion AS (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM oldest) AS sized WHERE before < $4
)
SELECT id, frames FROM outbox JOIN portion USING (id) ORDER BY id
"""
FORGET = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"
WAITING = """
-- relay.waiting: how much waits, counted up to a bound, and for how long the oldest
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS counted) AS rows,
    coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox ORDER BY id LIMIT 1), 0) AS age
"""
LOSE_DELETES = "SET synchronous_commit TO off"
"""The relay's own session: a delete that a crash takes back only repeats messages, so nobody waits for the disk."""


@dataclass(slots=True)
class Relay:
    """The relay of one process."""

    pool: "Pool"
    publisher: "Publisher"
    leases: Leases
    log: "Log"
    rows_max: int = 256
    publish_seconds: float = 4.0
    tracing: Tracing = UNTRACED
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after a commit in this process, so that nobody waits for the next poll."""
    failing: bool = False
    _ends_at: float = float("inf")

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until told to stop and nothing more is waiting, or time is up; then give the buckets back."""
        async with self.pool.acquire() as connection:
            await connection.execute(LOSE_DELETES)
            try:
                await self.leases.prepare(connection)
                await self._relay(connection, stopping)
                await self.leases.leave(connection)
            finally:
                if not connection.is_closed():
                    await connection.execute("RESET synchronous_commit")

    async def _relay(self, connection: "Connection", stopping: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time
        renewed_at = float("-inf")
        arrived: Sequence[int] = ()
        pause = BUSY_SECONDS
        while True:
            if now() - renewed_at >= self.leases.seconds / 3:
                renewed_at = now()
                await self._renew(connection)
            last = stopping.is_set()
            if last and self._is_over(now()):
                await connection.execute(FORGET, arrived)
                return
            self.wake.clear()
            rows = await self.take(connection, arrived)
            lease_left = renewed_at + self.leases.seconds - now()
            arrived = await self._send(rows, min(LAST_SECONDS, lease_left) if last else lease_left)
            if arrived:
                pause = BUSY_SECONDS
            elif last:
                return
            elif rows:
                await wait(stopping, min(FAILED_SECONDS, self.leases.seconds / 3))
            else:
                pause = min(pause * 2, IDLE_SECONDS)
                await wait(self.wake, pause)

    def _is_over(self, now: float) -> bool:
        """Tell a relay that is to stop whether it has tried long enough."""
        self._ends_at = min(self._ends_at, now + LAST_SECONDS)
        return self.failing or now >= self._ends_at

    async def take(self, connection: "Connection", arrived: Sequence[int]) -> dict[int, list[Frame]]:
        """Forget the rows that have arrived and return the oldest others, in the order in which they are to be sent."""
        rows = await connection.fetch(TAKE, self.leases.owner, self.rows_max, arrived, PORTION_BYTES_MAX)
        return {row["id"]: list(unpack(row["frames"])) for row in rows}

    async def _send(self, rows: dict[int, list[Frame]], left: float) -> Sequence[int]:
        """Publish while the lease lasts and return the rows that arrived."""
        if not rows or left <= 0:
            return ()
        with metrics.PUBLISH_SECONDS.time(), self.tracing.batch("send", "outbox", self._traceparents(rows)):
            published = await self.publisher.publish(rows, min(self.publish_seconds, left))
        crash_point("after_produce")
        metrics.PUBLISHED.inc(sum(len(rows[row]) for row in published.arrived))
        if published.problem is not None:
            metrics.PUBLISH_FAILURES.inc()
            if not self.failing:
                self.log.warning("publish_failed", problem=published.problem, rows=len(rows))
        elif self.failing:
            self.log.info("publish_recovered")
        self.failing = published.problem is not None
        return list(published.arrived)

    def _traceparents(self, rows: dict[int, list[Frame]]) -> list[str | None]:
        if not self.tracing.enabled:
            return []
        return [
            value.decode()
            for frames in rows.values()
            for frame in frames
            for name, value in frame.headers
            if name == "traceparent"
        ]

    async def _renew(self, connection: "Connection") -> None:
        mine = await self.leases.renew(connection)
        waiting = await connection.fetchrow(WAITING, COUNTED_MAX)
        metrics.OUTBOX_BUCKETS.set(len(mine))
        if waiting is not None:
            metrics.OUTBOX_ROWS.set(waiting["rows"])
            metrics.OUTBOX_AGE_SECONDS.set(float(waiting["age"]))
