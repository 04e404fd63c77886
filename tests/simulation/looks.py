"""What would an idle loop find if it looked now?

Services look for work several times a second. As long as nothing in the tables that they look into has changed and
nothing has become due, a look finds what it found before: nothing. Then nobody has to ask the server, and the clock may
jump.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.notify.storage import leases as deliveries
from services.router.storage import queues, snapshots
from services.runtime import leases, relay, retrier, timers
from tests.simulation.server import SERVICES, Server, at
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.store import Held

Version = tuple[int, ...]
"""How often the tables that a look looks into have changed."""
Look = tuple[str, str, tuple[object, ...]]
"""Schema and query; of a relay also the owner, who finds the rows of its own buckets only, and what it leaves out."""
AHEAD_SECONDS = 1.0
"""How far an idle loop looks ahead at most (timers: a quarter of a second)."""
HOUSEKEEPING = frozenset(
    {leases.PREPARE, leases.LOCK, leases.SEEN, leases.RELAYS, leases.HELD, leases.ASSIGN, leases.LEAVE}
)
"""What changes nothing that anybody else waits for."""
_WRITES = re.compile(r"\b(?:INSERT INTO|DELETE FROM|UPDATE)\s+(\w+)")
_WORDS = re.compile(r"\w+")
_DUE = """
-- What is the next that time alone brings about in this schema? Of a relay's rows: when may somebody send them.
SELECT (SELECT min(due_at) FROM {s}.timers) AS timers,
    (SELECT min(next_attempt_at) FROM {s}.parked WHERE status = 'retry') AS retries,
    (SELECT min(lease_until) FROM {s}.outbox_leases HAVING EXISTS (SELECT FROM {s}.outbox)) AS outbox {own}
"""
_OWN = {
    "notify": """,
    (SELECT min(due_at) FROM notify.deliveries WHERE state IN ('queued', 'sending', 'unknown')) AS deliveries""",
    "router": """,
    (SELECT min(since) + interval '3 seconds' FROM router.snapshots_due) AS snapshots,
    (SELECT min(worked_at + pause) FROM router.cases,
        unnest(ARRAY[interval '1 hour', interval '4 hours', interval '24 hours']) AS pauses (pause)
        WHERE holder IS NOT NULL AND state = 'assigned' AND worked_at + pause > now()) AS cases,
    (SELECT max(queued_at) FROM router.cases WHERE queue IS NOT NULL) AS queued""",
}
DUE = {service: _DUE.format(s=service, own=_OWN.get(service, "")) for service in SERVICES}
RELAXING_SECONDS = 150.0
"""So long after it was queued a case may find an agent by waiting alone (A3)."""
STEP_SECONDS, PATIENT_SECONDS = 30.0, 3600.0


def _idle() -> Mapping[str, str | None]:
    """Return the looks that change nothing when they find nothing, and that find nothing before something is due.

    And what it is that is due then; none for an answer that has nothing to do with time. A look stands here as it is in
    this run, with or without its guard.
    """
    return {
        timers.LIST_DUE: "timers",
        retrier.DUE: "retries",
        deliveries.TAKE: "deliveries",
        snapshots.DUE: "snapshots",
        queues.MOVED: "cases",
        queues.IDLE: "cases",
        queues.BUSY: None,
    }


@dataclass(slots=True)
class Looks:
    """What is known about the schemas of one run."""

    server: Server
    world: World
    lease_seconds: float
    """Of the relays: each looks at its own three times while it lasts."""
    idle: Mapping[str, str | None] = field(default_factory=_idle)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By schema and table: how often something has changed there."""
    _tables: dict[str, frozenset[str]] = field(default_factory=dict)
    """The tables that a statement names."""
    _found: dict[Look, tuple[Version, Sequence[Any]]] = field(default_factory=dict)
    _dues: dict[str, tuple[Version, float, dict[str, float]]] = field(default_factory=dict)
    """By schema: what was due next of each kind, when asked at this second."""

    def changed(self, schema: str, tables: Iterable[str]) -> None:
        """Note that something in these tables is different now."""
        self.versions.update((schema, table) for table in tables)

    def known(self, held: "Held", query: str, args: Sequence[object]) -> Sequence[Any] | None:
        """Return what this look would find, if that is known without looking."""
        if held.changed or not (query in self.idle or (query is relay.TAKE and not args[2])):
            return None
        version, rows = self._found.get(_look(held, query, args), (None, ()))
        if version != self._version(held.schema, query) or not self._nothing_due(held.schema, self.idle.get(query)):
            return None
        return rows

    def remember(self, held: "Held", query: str, args: Sequence[object], rows: object) -> None:
        """Keep what a look has found, if it will find the same again."""
        if query is leases.ASSIGN:  # some of these buckets may have been another's, or nobody's
            mine = [look for look in self._found if look[:2] == (held.schema, relay.TAKE) and look[2][0] == args[0]]
            for look in mine:
                del self._found[look]
        looked = query in self.idle or query is relay.TAKE
        if looked and not held.changed and isinstance(rows, list) and (not rows or query is queues.BUSY):
            self._found[_look(held, query, args)] = (self._version(held.schema, query), rows)

    def changes(self, query: str, args: Sequence[object], answer: object) -> frozenset[str]:
        """Return the tables in which a statement may have changed something that somebody may wait for."""
        nothing = query in HOUSEKEEPING or (query in self.idle and not answer) or (query is relay.TAKE and not args[2])
        if nothing or (isinstance(answer, str) and answer.endswith(" 0")):
            return frozenset()
        return self.server.tables & frozenset(_WRITES.findall(query))

    def next_due(self) -> float | None:
        """Return when time alone will bring something about, in seconds of the loop; moments that passed count too."""
        return min((moment for service in SERVICES for moment in self._due(service).values()), default=None)

    def _version(self, schema: str, query: str) -> Version:
        return tuple([self.versions[schema, table] for table in self._named(query)])

    def _named(self, query: str) -> frozenset[str]:
        if query not in self._tables:
            self._tables[query] = self.server.tables & frozenset(_WORDS.findall(query))
        return self._tables[query]

    def _nothing_due(self, schema: str, kind: str | None) -> bool:
        return kind is None or self._due(schema).get(kind, math.inf) > self.world.loop.time() + AHEAD_SECONDS

    def _due(self, schema: str) -> dict[str, float]:
        current, now = self._version(schema, DUE[schema]), self.world.loop.time()
        version, asked, dues = self._dues.get(schema, (None, now, {}))
        if version != current or (asked < now and min(dues.values(), default=math.inf) <= now):
            told, given = at(self.world.now(), DUE[schema], ())
            row = self.server.run(self.server.monitor.fetchrow(told, *given))
            dues = {kind: self.world.seconds(moment) for kind, moment in row.items() if moment is not None}
            if "outbox" in dues:
                dues["outbox"] = max(dues["outbox"], now + self.lease_seconds / 6)
            if "queued" in dues:  # it is looked at again: often while demands relax, then for its band only
                fresh = now - dues["queued"] < RELAXING_SECONDS
                dues["queued"] = now + (STEP_SECONDS if fresh else PATIENT_SECONDS)
            self._dues[schema] = (current, now, dues)
        return dues


def _look(held: "Held", query: str, args: Sequence[Any]) -> Look:
    if query is not relay.TAKE:
        return held.schema, query, ()
    owner, _, _, _, standing, left_alone, _ = args
    return held.schema, query, (owner, *standing, *left_alone)
