"""How do stored messages reach Kafka, in order per key and none lost?

Oldest rows of the leased buckets are read, sent, and deleted after the ack. There is no cursor: ids are taken before
the commit, so a row may appear behind a newer one. A crash between ack and delete, or a lease that ran out during a
send, repeats messages and never reorders the first appearance of any: whoever owns the bucket begins with its oldest
row.

A partition that takes nothing is left alone for a while, and so are the rows of which only its messages are left: all
others go on. Nothing is sent to it meanwhile; then again its oldest rows first. A bucket stands still before a row that
this release cannot read.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.runtime import metrics, outbox
from services.runtime.crashing import crash_point
from services.runtime.frames import Frame, pack, unpack
from services.runtime.fresh import Fresh, row_of
from services.runtime.holding import Holding
from services.runtime.leases import Leases
from services.runtime.lifecycle import wait
from services.runtime.partitioning import NOWHERE, Place
from services.runtime.publishing import Published
from services.runtime.tracing import UNTRACED, Tracing

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool
    from services.runtime.logs import Log
    from services.runtime.publishing import Publisher

BUSY_SECONDS = 0.005
SOON_SECONDS = 0.05
"""Where no commit goes unnoticed, what has arrived is forgotten with the next look, so long after it at most: a look
only to forget costs as much as one that finds something."""
IDLE_SECONDS = 0.25
FAILED_SECONDS = 1.0
LAST_SECONDS = 2.0
"""How long a relay that is to stop goes on, and its longest publish then: what has not arrived waits in the outbox for
the next process. Other replicas may fill its buckets for ever."""
PORTION_BYTES_MAX = 8_388_608
"""Most bytes that one look reads, and most bytes of memory that it makes of them, both but for the last row."""
CUT_BYTES = PORTION_BYTES_MAX // 2
"""So much in memory may be a whole portion as stored."""
COUNTED_MAX = 10_000

TAKE = """
-- relay.take: forget the rows that have arrived and read the oldest others of the buckets that are mine at this moment,
-- except of buckets that stand still ($5) and of what waits only for partitions that are left alone ($6); the bytes of
-- those that nobody has worked on are known here already ($7)
WITH arrived AS (DELETE FROM outbox WHERE id = ANY ($3::bigint[])), oldest AS (
    SELECT id, octet_length(frames) AS size FROM outbox
    WHERE bucket IN (
            SELECT bucket FROM outbox_leases WHERE owner = $1 AND lease_until > clock_timestamp()
                AND bucket <> ALL ($5::smallint[])
        )
        AND id <> ALL ($3::bigint[])
        AND (waits_for IS NULL OR NOT waits_for <@ $6::text[])
    ORDER BY id LIMIT $2
), portion AS (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM oldest) AS sized WHERE before < $4
)
SELECT id, bucket, CASE WHEN id = ANY ($7::bigint[]) AND waits_for IS NULL THEN NULL ELSE frames END AS frames
FROM outbox JOIN portion USING (id) ORDER BY id
"""
SET_ASIDE = """
-- relay.set_aside: what is left of rows, and for which partitions it waits; written only where it is new
UPDATE outbox SET frames = remainder.frames, waits_for = string_to_array(remainder.places, ' ')
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS remainder (id, frames, places)
WHERE outbox.id = remainder.id AND (
    outbox.waits_for IS DISTINCT FROM string_to_array(remainder.places, ' ') OR outbox.frames <> remainder.frames
)
"""
STANDING = "SELECT id FROM outbox WHERE id = ANY ($1::bigint[])"
FORGET = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"
WAITING = """
-- relay.waiting: how much waits, counted up to a bound, and for how long the oldest
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS counted) AS rows,
    coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox ORDER BY id LIMIT 1), 0) AS age
"""
UPGRADE = "run the release that wrote it: nothing is lost, and what comes behind it waits"
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
    fresh: Fresh = field(default_factory=Fresh)
    failing: bool = False
    standing: dict[int, int] = field(default_factory=dict)
    """The buckets of mine that stand still, each with the id of the row that this release cannot read."""
    holding: Holding = field(default_factory=Holding)
    _held: frozenset[Place] = frozenset()
    """Which partitions are left alone in this turn: what is not read for their sake must not be overtaken."""
    _passed_over: set[int] = field(default_factory=set)
    """Buckets that stand still and are not looked at before the next renewal."""
    _alone: bool = False
    """Whether every bucket is mine, so that nobody else fills them and no commit goes unnoticed."""
    _gone: int = 0
    """Rows that have gone since it was tried last to empty the outbox."""
    _cut: bool = False
    """Whether the last look may have read less than is there for its size."""
    _pause: float = BUSY_SECONDS
    _ends_at: float = float("inf")

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until told to stop and nothing more is waiting, or time is up; then give the buckets back."""
        self.fresh.lease(())  # this may be another server, which lacks the last commits and gives their ids again
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
        published = Published(())
        while True:
            if now() - renewed_at >= self.leases.seconds / 3:
                renewed_at = now()
                await self._renew(connection)
            last = stopping.is_set()
            if last and self._is_over(now()):
                await connection.execute(FORGET, published.arrived)
                return
            self.wake.clear()
            rows = await self.take(connection, published.arrived)
            await self._retire(connection, len(published.arrived), len(rows))
            lease_left = renewed_at + self.leases.seconds - now()
            published = await self._send(rows, min(LAST_SECONDS, lease_left) if last else lease_left)
            await self._set_aside(connection, published.left)
            if not last:
                await self._wait(published, len(rows), stopping)
            elif not published.arrived and not published.left:
                return

    async def _wait(self, published: Published, rows: int, stopping: asyncio.Event) -> None:
        """Wait for the next commit, not for long where something may be waiting that no commit of ours has told."""
        if published.arrived or published.left:
            later = self._alone and self._gone < outbox.RETIRE_ROWS and not published.left
            self._pause = SOON_SECONDS if later else BUSY_SECONDS
        elif rows:
            await wait(stopping, min(FAILED_SECONDS, self.leases.seconds / 3))
        else:
            self._pause = IDLE_SECONDS if self._alone else min(self._pause * 2, IDLE_SECONDS)
        if rows < self.rows_max and not self._cut:
            await wait(self.wake, self._pause)

    async def _retire(self, connection: "Connection", gone: int, left: int) -> None:
        self._gone += gone
        if not left and self._gone >= outbox.RETIRE_ROWS:
            self._gone = 0
            await outbox.retire(connection)

    def _is_over(self, now: float) -> bool:
        """Tell a relay that is to stop whether it has tried long enough."""
        self._ends_at = min(self._ends_at, now + LAST_SECONDS)
        return self.failing or now >= self._ends_at

    async def take(self, connection: "Connection", arrived: Collection[int]) -> dict[int, list[Frame]]:
        """Forget the rows that have arrived and return the oldest others, in the order in which they are to be sent."""
        self._held = self.holding.held(asyncio.get_running_loop().time())
        left_out = (list(self._passed_over), [_name(place) for place in self._held])
        known, asked = self.fresh.rows(), list(self.fresh.rows())
        rows = await connection.fetch(
            TAKE, self.leases.owner, self.rows_max, arrived, PORTION_BYTES_MAX, *left_out, asked
        )
        found: dict[int, list[Frame]] = {}
        size = 0
        for row_id, bucket, frames in rows:
            if size >= PORTION_BYTES_MAX:
                break  # a small row may unpack to a large one, and a backlog to more than there is memory
            if bucket not in self._passed_over:
                try:
                    row = known[row_id] if frames is None else row_of(bucket, unpack(frames))
                    found[row_id] = row.frames
                    size += row.size
                except ValueError as problem:
                    self._stand(bucket, row_id, problem)
        self._cut = size >= CUT_BYTES
        # What a short answer lacks was read between its commit and the moment when it became known here.
        self.fresh.forget([row_id for row_id, _, _ in rows] if len(rows) == self.rows_max else asked)
        if not rows:  # nothing waits for who is let go, and others may stand behind it
            self._tried(())
        return found

    def _tried(self, refused: Collection[Place]) -> None:
        self.holding.tried(refused, self._held, asyncio.get_running_loop().time())
        metrics.OUTBOX_HELD.set(len(self.holding.places()))

    def _stand(self, bucket: int, row: int, problem: ValueError) -> None:
        """Let a bucket stand still before a row that a newer release wrote: what comes behind must not overtake it."""
        self._passed_over.add(bucket)
        if self.standing.get(bucket) != row:
            self.standing[bucket] = row
            self.log.error("outbox_unreadable", bucket=bucket, row=row, problem=str(problem), remedy=UPGRADE)
        metrics.OUTBOX_STANDING.set(len(self.standing))

    async def _send(self, rows: dict[int, list[Frame]], left: float) -> Published:
        """Publish while the lease lasts and return how it went."""
        if not rows or left <= 0:
            return Published(())
        with metrics.PUBLISH_SECONDS.time(), self.tracing.batch("send", "outbox", self._traceparents(rows)):
            published = await self.publisher.publish(rows, min(self.publish_seconds, left), self._held)
        crash_point("after_produce")
        sent = sum(len(rows[row]) for row in (*published.arrived, *published.left))
        metrics.PUBLISHED.inc(sent - sum(map(len, published.left.values())))
        self._learn(published, len(rows))
        return published

    def _learn(self, published: Published, rows: int) -> None:
        """Remember who refused, and say so once until all is well again."""
        was_well = not self.failing and not self.holding.places()
        self.failing = published.problem is not None
        if published.arrived or published.left:
            self._tried(published.refused)
        if published.problem is not None:
            metrics.PUBLISH_FAILURES.inc()
            if was_well:
                places = [_name(place) for place in sorted(published.refused)]
                self.log.warning("publish_failed", problem=published.problem, rows=rows, partitions=places)
        elif not was_well and not self.holding.places():
            self.log.info("publish_recovered")

    async def _set_aside(self, connection: "Connection", left: Mapping[int, Sequence[tuple[Place, Frame]]]) -> None:
        """Keep of these rows only what has not arrived, so that nothing is repeated, and what it waits for.

        That is true of a row whoever reads it: neither a lease nor the memory of this process is needed for it.
        """
        if left:
            frames = [pack(frame for _, frame in some) for some in left.values()]
            places = [" ".join(sorted({_name(place) for place, _ in some})) for some in left.values()]
            await connection.execute(SET_ASIDE, list(left), frames, places)

    def warning(self) -> str | None:
        """Return what somebody should look at: a partition that takes nothing, a bucket that stands still."""
        said = [
            f"{_name(place)} takes nothing: see its leader and its topic's settings"
            for place in sorted(self.holding.places())
        ]
        said += [
            f"row {row} in bucket {bucket} of the outbox cannot be read: {UPGRADE}"
            for bucket, row in self.standing.items()
        ]
        return None if not said else said[0] if len(said) == 1 else f"{said[0]} (and {len(said) - 1} more)"

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
        self._alone = len(mine) == outbox.BUCKETS
        self.fresh.lease(mine)
        await self._look_again(connection, mine)
        waiting = await connection.fetchrow(WAITING, COUNTED_MAX)
        metrics.OUTBOX_BUCKETS.set(len(mine))
        if waiting is not None:
            metrics.OUTBOX_ROWS.set(waiting["rows"])
            metrics.OUTBOX_AGE_SECONDS.set(float(waiting["age"]))

    async def _look_again(self, connection: "Connection", mine: Collection[int]) -> None:
        """Forget what stood still and is another's now, or gone: a newer release may have sent it."""
        self._passed_over.clear()
        if self.standing:
            there = {row["id"] for row in await connection.fetch(STANDING, list(self.standing.values()))}
            self.standing = {bucket: row for bucket, row in self.standing.items() if bucket in mine and row in there}
            metrics.OUTBOX_STANDING.set(len(self.standing))


def _name(place: Place) -> str:
    topic, partition = place
    return topic if partition == NOWHERE else f"{topic}/{partition}"
