"""What must hold when a run has come to rest? The invariants, seen from the topics, the tables and the provider.

The run is written down as a history of a real system would be, and judged by the same judge; what only a simulation can
see is asked here.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from contracts.message import Message
from contracts.topics import TOPICS
from tests.simulation.process import CALM_LEASE_SECONDS, Town
from tests.simulation.server import SERVICES, at
from tests.support.history import Acceptance, Bounds, History, Sent, judge, recording

LATE_SECONDS = 2.5 + 2 * CALM_LEASE_SECONDS / 3
"""How late a timer may be heard of when nothing goes wrong. After a jump over a quiet time, in which the leases of
relays have run out, one of two takes everything with its renewal, gives half back with its next, and the other takes
that with its own: twice a row may wait for a renewal."""
LATE_UNDER_FIRE_SECONDS = 1800.0
"""Leases of the dead and pauses between retries add up; what is later was forgotten."""
SAME_WORDS = "same text"
"""In days a customer may well be told the same more than once: every few hours that somebody is still at it."""
LEFT = """
-- What is still to be said, fired or tried in this schema?
SELECT (SELECT count(*) FROM {s}.outbox) AS outbox,
    (SELECT count(*) FROM {s}.timers WHERE due_at <= $1) AS timers,
    (SELECT count(*) FROM {s}.parked WHERE status = 'retry') AS parked
"""
SNAPSHOTS = "SELECT count(*) FROM router.snapshots_due"
UNSAID = "SELECT count(*) FROM {s}.outbox"
MARKS = "SELECT topic, partition, next_offset FROM {s}.koff"
LOADS = """
-- Agents whose load is not what they hold (I7)
SELECT agents.agent_id, loads.channel, loads.load, coalesce(sum(cases.units), 0) AS held FROM router.agents
CROSS JOIN LATERAL (VALUES ('phone', phone), ('chat', chat), ('email', email), ('social', social), ('sms', sms))
    AS loads (channel, load)
LEFT JOIN router.cases ON holder = agents.agent_id AND cases.channel = loads.channel
GROUP BY agents.agent_id, loads.channel, loads.load
HAVING loads.load <> coalesce(sum(cases.units), 0)
"""
MILESTONES = """
SELECT delivery_id::text, case_id::text, milestone, recipient FROM notify.deliveries
WHERE milestone IS NOT NULL AND channel = 'sms'
"""


class Checks:
    """The judgement over one run."""

    def __init__(self, town: Town) -> None:
        """Look at this run."""
        self.town = town

    def all(self) -> list[str]:
        """Return everything that does not hold."""
        calm = not self.town.world.faults.struck
        bounds = Bounds(late_seconds=LATE_SECONDS if calm else LATE_UNDER_FIRE_SECONDS)
        problems = [*self.town.observed.problems, *self.left()]
        problems += [str(each) for each in judge(self._history(), bounds).findings if SAME_WORDS not in each.problem]
        problems += [f"I7: {dict(held)}" for held in self._ask(LOADS)]
        problems += [f"I3: {each} was offered again after it was accepted" for each in self.town.provider.again]
        problems += self._told_too_often()
        return problems + (self._repeats() if calm else [])

    def left(self) -> list[str]:
        """Return what is still under way: not wrong before it stays so."""
        found = ["I8: router has snapshots left"] if self._ask(SNAPSHOTS)[0][0] else []
        for service in SERVICES:
            row = dict(self._ask(LEFT.format(s=service), self.town.world.now())[0])
            found += [f"I8: {service} has {count} {what} left" for what, count in row.items() if count]
            marks = {(row[0], row[1]): row[2] for row in self._ask(MARKS.format(s=service))}
            group = self.town.bus.groups.get(service)
            for place in group.places if group else ():
                behind = len(self.town.bus.logs[place]) - marks.get((place.topic, place.partition), 0)
                if behind:
                    found.append(f"I8: {service} is {behind} records behind on {place.topic}/{place.partition}")
        return found

    def unsaid(self) -> list[str]:
        """Return whose outbox is not empty."""
        rows = {service: self._ask(UNSAID.format(s=service))[0][0] for service in SERVICES}
        return [f"I8: {service} has {count} outbox left" for service, count in rows.items() if count]

    def _history(self) -> History:
        town = self.town
        records = [
            recording._record(place.topic, record) for place, log in sorted(town.bus.logs.items()) for record in log
        ]
        ends = {(place.topic, place.partition): (0, len(log)) for place, log in town.bus.logs.items()}
        server = town.store.server
        connection: Any = _Virtual(server.monitor, town.world.now())
        tables = server.run(recording._tables(connection, ends))
        return History(
            [_sent(event_id, message) for event_id, message in town.provider.outside.said.items()],
            records,
            ends,
            [Acceptance(each.reference, each.to, each.text, "") for each in town.provider.accepted.values()],
            tables,
            town.world.now().timestamp(),
        )

    def _told_too_often(self) -> list[str]:
        """Return who was told of one milestone more often than it was reached (S4)."""
        cycles: dict[tuple[str, str], set[int]] = defaultdict(set)
        for record in self.town.bus.records("case.events"):
            if _header(record, "ce_type") == "caseloop.case.milestone_reached.v1":
                data = orjson.loads(record.value)
                cycles[data["case_id"], data["milestone"]].add(data["cycle"])
        told: Counter[tuple[str, str, str]] = Counter()
        for delivery_id, case_id, milestone, recipient in self._ask(MILESTONES):
            told[case_id, milestone, recipient] += delivery_id in self.town.provider.accepted
        return [
            f"I3: {recipient} was told {times} times of {milestone} of {case_id}"
            for (case_id, milestone, recipient), times in told.items()
            if times > len(cycles[case_id, milestone])
        ]

    def _repeats(self) -> list[str]:
        """Expect that nobody repeats himself when nothing goes wrong: repeats are recognised, and cost work."""
        problems: list[str] = []
        for topic in TOPICS.values():
            ids = Counter(_header(record, "ce_id") for record in self.town.bus.records(topic.name))
            twice = [ce_id for ce_id, times in ids.items() if times > 1]
            if twice and not topic.public_door:
                problems.append(f"I2: said twice on {topic.name} though nothing went wrong: {twice[:3]}")
        return problems

    def _ask(self, query: str, *args: object) -> list[Any]:
        server = self.town.store.server
        return list(server.run(server.monitor.fetch(query, *args)))


class _Virtual:
    """A connection on which ``now()`` is the virtual moment."""

    def __init__(self, connection: Any, now: datetime) -> None:  # noqa: ANN401 - asyncpg's
        self._connection = connection
        self._now = now

    async def execute(self, query: str, *args: object) -> str:
        status: str = await self._connection.execute(query, *args)
        return status

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        told, given = at(self._now, query, args)
        rows: Sequence[Any] = await self._connection.fetch(told, *given)
        return rows


def _sent(event_id: str, message: Message) -> Sent:
    return Sent(message.topic_name(), message.key(), event_id, message.type, acked=True)


def _header(record: ConsumerRecord, name: str) -> str:
    return bytes(dict(record.headers)[name]).decode()
