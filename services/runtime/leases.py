"""Which relay may send the rows of which bucket?

Every replica of a service has a relay. A bucket has at most one owner at a time, by the database's clock; an owner that
dies loses its buckets when the lease runs out. All replicas that are there share the buckets evenly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.runtime.database import Connection
from services.runtime.outbox import BUCKETS

PREPARE = """
-- leases.prepare: the buckets that can be owned
INSERT INTO outbox_leases (bucket) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING
"""
LOCK = """
-- leases.lock: one replica at a time decides; the others see what it decided
SELECT bucket FROM outbox_leases ORDER BY bucket FOR UPDATE
"""
SEEN = """
-- leases.seen: say that this relay is there, forget those that have not said so for a while
WITH gone AS (DELETE FROM relays WHERE seen_until < clock_timestamp() AND owner <> $1)
INSERT INTO relays (owner, seen_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (owner) DO UPDATE SET seen_until = excluded.seen_until
"""
RELAYS = """
-- leases.relays: who is there
SELECT owner FROM relays WHERE seen_until >= clock_timestamp() ORDER BY owner
"""
HELD = """
-- leases.held: who owns what at this moment
SELECT bucket, CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner FROM outbox_leases ORDER BY bucket
"""
ASSIGN = """
-- leases.assign: take or keep these, give back the others that were mine
UPDATE outbox_leases SET
    owner = CASE WHEN bucket = ANY ($2::smallint[]) THEN $1 END,
    lease_until = CASE WHEN bucket = ANY ($2::smallint[]) THEN clock_timestamp() + make_interval(secs => $3) END
WHERE bucket = ANY ($2::smallint[]) OR owner = $1
"""
LEAVE = """
-- leases.leave: give everything back at once
WITH gone AS (DELETE FROM relays WHERE owner = $1)
UPDATE outbox_leases SET owner = NULL, lease_until = NULL WHERE owner = $1
"""


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one relay."""

    owner: str
    """A name that no other process has, alive or dead."""
    seconds: float

    async def prepare(self, connection: Connection) -> None:
        """Make sure that there is something to own."""
        await connection.execute(PREPARE, BUCKETS)

    async def renew(self, connection: Connection) -> frozenset[int]:
        """Take or keep the fair share and return it; call it at least every third of the lease."""
        async with connection.transaction():
            await connection.execute(LOCK)
            await connection.execute(SEEN, self.owner, self.seconds)
            relays = [row["owner"] for row in await connection.fetch(RELAYS)]
            held = {row["bucket"]: row["owner"] for row in await connection.fetch(HELD)}
            mine = fair_share(self.owner, relays, held)
            await connection.execute(ASSIGN, self.owner, sorted(mine), self.seconds)
        return mine

    async def leave(self, connection: Connection) -> None:
        """Let the others have the buckets now instead of when the lease runs out."""
        await connection.execute(LEAVE, self.owner)


def fair_share(owner: str, relays: Sequence[str], held: Mapping[int, str | None]) -> frozenset[int]:
    """Return the buckets that this relay should hold now: never one that another holds, and no more than its part."""
    everybody = sorted({*relays, owner})
    part, rest = divmod(len(held), len(everybody))
    limit = part + (1 if everybody.index(owner) < rest else 0)
    mine = [bucket for bucket, holder in sorted(held.items()) if holder == owner]
    free = [bucket for bucket, holder in sorted(held.items()) if holder is None]
    return frozenset((mine + free)[:limit])
