"""What would an idle loop find if it looked now?

Services look for work several times a second. As long as nothing in their schema has changed and nothing has become
due, a look finds what it found before: nothing. Then nobody has to ask the server, and the clock may jump.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.notify.storage import leases as deliveries
from services.router.storage import queues, snapshots
from services.runtime import firing, leases, relay, retrier, timers
from tests.simulation.server import SERVICES, Server
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.store import Held

AHEAD_SECONDS = 1.0
"""How far an idle loop looks ahead at most (timers: a quarter of a second)."""
IDLE = frozenset({timers.LIST_DUE, retrier.DUE, snapshots.DUE, deliveries.TAKE, queues.MOVED, queues.IDLE, queues.BUSY})
"""Looks that change nothing when they find nothing, and that find nothing before something changes or becomes due."""
TIMELESS = frozenset({queues.BUSY})
"""Looks whose answer has nothing to do with time."""
HOUSEKEEPING = frozenset(
    {leases.PREPARE, leases.LOCK, leases.SEEN, leases.RELAYS, leases.HELD, leases.ASSIGN, leases.LEAVE, firing.LOCK}
)
"""What changes nothing that anybody else waits for."""
_WRITES = re.compile(r"\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\s+\w+\s+(AS\s+\w+\s+)?SET\b")
_COMMON = """
-- When does time alone bring something about in this schema?
SELECT min(due) FROM (
    SELECT min(due_at) FROM {s}.timers
    UNION ALL SELECT min(next_attempt_at) FROM {s}.parked WHERE status = 'retry'
    UNION ALL SELECT greatest(min(lease_until), $1::timestamptz + make_interval(secs => $2))
        FROM {s}.outbox_leases HAVING EXISTS (SELECT FROM {s}.outbox)
    {own}
) AS dues (due)
"""
_OWN = {
    "notify": "UNION ALL SELECT min(due_at) FROM notify.deliveries WHERE state IN ('queued', 'sending', 'unknown')",
    "router": """
    UNION ALL SELECT min(since) + interval '3 seconds' FROM router.snapshots_due
    UNION ALL SELECT min(worked_at + pause) FROM router.cases,
        unnest(ARRAY[interval '1 hour', interval '4 hours', interval '24 hours']) AS pauses (pause)
        WHERE holder IS NOT NULL AND state = 'assigned' AND worked_at + pause > $1
    """,
}
NEXT_DUE = {service: _COMMON.format(s=service, own=_OWN.get(service, "")) for service in SERVICES}
RELAXING = "SELECT max(queued_at) FROM router.cases WHERE queue IS NOT NULL"
RELAXING_SECONDS = 150.0
"""So long after it was queued a case may find an agent by waiting alone (A3)."""
STEP_SECONDS, PATIENT_SECONDS = 30.0, 3600.0


@dataclass(slots=True)
class Looks:
    """What is known about the schemas of one run."""

    server: Server
    world: World
    lease_seconds: float
    """Of the relays: each looks at its own three times while it lasts."""
    versions: dict[str, int] = field(default_factory=dict)
    _found: dict[tuple[str, str, object], tuple[int, Sequence[Any]]] = field(default_factory=dict)
    """By schema, query, and for relays the owner: each finds the rows of its own buckets only."""
    _dues: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    saved: int = 0

    def changed(self, schema: str) -> None:
        """Note that something in this schema is different now."""
        self.versions[schema] = self.versions.get(schema, 0) + 1

    def tell_time(self, held: "Held", query: str) -> None:
        """Let a statement read the virtual clock, if it reads one."""
        self.server.tell_time(held.real, query, self.world.now())

    def known(self, held: "Held", query: str, args: Sequence[object]) -> Sequence[Any] | None:
        """Return what this look would find, if that is known without looking."""
        if held.begun or not (query in IDLE or (query is relay.TAKE and not args[2])):
            return None
        version, rows = self._found.get(_look(held, query, args), (-1, ()))
        if version != self.versions.get(held.schema, 0) or not self._nothing_due(held.schema, query):
            return None
        self.saved += 1
        return rows

    def remember(self, held: "Held", query: str, args: Sequence[object], rows: object) -> None:
        """Keep what a look has found, if it will find the same again."""
        if query is leases.ASSIGN:  # these buckets may be another's from now on
            for look in [each for each in self._found if each[:2] == (held.schema, relay.TAKE)]:
                del self._found[look]
        looked = query in IDLE or query is relay.TAKE
        if looked and not held.begun and isinstance(rows, list) and (not rows or query in TIMELESS):
            self._found[_look(held, query, args)] = (self.versions.get(held.schema, 0), rows)

    def changes(self, query: str, args: Sequence[object], answer: object) -> bool:
        """Tell whether a statement has changed anything that somebody may wait for."""
        if query in HOUSEKEEPING or (query in IDLE and not answer):
            return False
        if query is relay.TAKE:
            return bool(args[2])
        if isinstance(answer, str) and answer.endswith(" 0"):
            return False
        return _WRITES.search(query) is not None

    def next_due(self) -> float | None:
        """Return when time alone will bring something about, in seconds of the loop; moments that passed count too."""
        dues = [due for service in SERVICES if (due := self._due(service)) is not None]
        return min(dues) if dues else None

    def _nothing_due(self, schema: str, query: str) -> bool:
        if query in TIMELESS:
            return True
        due = self._due(schema)
        return due is None or due > self.world.loop.time() + AHEAD_SECONDS

    def _due(self, schema: str) -> float | None:
        version, due = self._dues.get(schema, (-1, None))
        if version == self.versions.get(schema, 0) and (due is None or due > self.world.loop.time()):
            return due
        bound = self.lease_seconds / 6
        moment = self.server.run(self.server.monitor.fetchval(NEXT_DUE[schema], self.world.now(), bound))
        due = None if moment is None else self.world.seconds(moment)
        if schema == "router" and (step := self._next_step()) is not None:
            due = step if due is None else min(step, due)
        self._dues[schema] = (self.versions.get(schema, 0), due)
        return due

    def _next_step(self) -> float | None:
        """Return when a waiting case is looked at again: often while demands relax, then for its band only."""
        queued = self.server.run(self.server.monitor.fetchval(RELAXING))
        if queued is None:
            return None
        now = self.world.loop.time()
        fresh = now - self.world.seconds(queued) < RELAXING_SECONDS
        return now + (STEP_SECONDS if fresh else PATIENT_SECONDS)


def _look(held: "Held", query: str, args: Sequence[object]) -> tuple[str, str, object]:
    return held.schema, query, args[0] if query is relay.TAKE else None
