"""What is to be read, from where to where, and is everything said that was decided before?

Ends are fixed from the door inwards, and each service is given the time to settle up to them and to say what it
decided: so what is still on its way is not taken for lost.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import CHANNELS
from services.cli.audit.findings import Finding, Findings
from services.cli.audit.parts import Stretch
from services.cli.audit.tables import looking
from services.cli.connection import Connection
from services.cli.reading import ends_of, reader
from services.runtime import offsets
from services.runtime.database import Connection as Tables
from services.runtime.settings import Settings

CHANNEL_TOPICS = tuple(f"channel.{name}" for name in CHANNELS)
POLL_SECONDS = 0.1
SAID_SECONDS_MIN = 5.0
"""So long at least is waited for what a service has to say, however short the patience."""
_SLACK = timedelta(minutes=1)
"""A gateway's clock may be ahead of ours: what follows from an event may look older than it."""

OUTBOX_LAST = """
-- audit.outbox_last: the last row that is still to be said
SELECT max(id) FROM outbox
"""

OUTBOX_WAITING = """
-- audit.outbox_waiting: is anything up to this row still to be said?
SELECT EXISTS (SELECT FROM outbox WHERE id <= $1)
"""

Ends = Mapping[tuple[str, int], int]
"""Topic (without prefix) and partition to an offset."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which channel events are accounted for, and how patient the audit is."""

    since: datetime | None
    until: datetime | None
    wait_seconds: float
    now: datetime


@dataclass(slots=True)
class Plan:
    """The stretches of one audit."""

    connection: Connection
    scope: Scope
    findings: Findings
    deadline: float
    settings: Settings
    begins: dict[tuple[str, int], int] = field(default_factory=dict)
    read_to: dict[tuple[str, int], int] = field(default_factory=dict)
    reached: dict[tuple[str, int], int] = field(default_factory=dict)
    """Where intake and router had come to, in what they read."""

    @property
    def from_start(self) -> bool:
        """Whether the whole journal is read, and it is whole."""
        return self._is_whole("case.events")

    @property
    def all_clocks(self) -> bool:
        """Whether all is read that followup ever told of clocks."""
        return self._is_whole("followups")

    def _is_whole(self, topic: str) -> bool:
        begins = [offset for (name, _), offset in self.begins.items() if name == topic]
        return self.scope.since is None and not any(begins)

    @property
    def stretches(self) -> list[Stretch]:
        """Return everything that is to be read."""
        return [Stretch(*place, self.begins[place], end) for place, end in self.read_to.items()]

    async def settle(self, service: str, topics: Sequence[str], *, judged: bool = True) -> None:
        """Fix the ends of these topics and wait until the service has settled up to them."""
        ends = await self.ends(topics, self.scope.until if topics == CHANNEL_TOPICS else None)
        if judged:
            self.read_to |= ends
        behind = await self._settled(service, ends)
        self.reached |= {place: end - behind.get(place, 0) for place, end in ends.items()}
        await self.said(service)

    async def said(self, service: str) -> None:
        """Wait until the service has said what it has decided up to now."""
        patience = asyncio.get_running_loop().time() + SAID_SECONDS_MIN
        async with looking(self.connection.postgres, service) as tables:
            last = await tables.fetchval(OUTBOX_LAST)
            while last is not None and await tables.fetchval(OUTBOX_WAITING, last):
                if asyncio.get_running_loop().time() >= max(patience, self.deadline):
                    self._behind(service, "its outbox", "messages are not said yet")
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def ends(self, topics: Sequence[str], until: datetime | None = None) -> dict[tuple[str, int], int]:
        """Return the present ends of these topics, or where they were at a moment, and remember their beginnings."""
        async with reader(self.settings, topics) as consumer:
            ends = await _at(consumer, until) if until else await ends_of(consumer)
            await self._begin(consumer, topics)
        return {self._named(place): end for place, end in ends.items()}

    async def _begin(self, consumer: AIOKafkaConsumer, topics: Sequence[str]) -> None:
        since = self.scope.since
        if since is not None and topics != CHANNEL_TOPICS:
            since -= _SLACK
        places = list(consumer.assignment())
        begins = await _at(consumer, since) if since else await consumer.beginning_offsets(places)
        for place, offset in begins.items():
            self.begins.setdefault(self._named(place), offset)

    async def _settled(self, service: str, ends: Ends) -> dict[tuple[str, int], int]:
        async with looking(self.connection.postgres, service) as tables:
            while behind := await _behind(tables, ends):
                if asyncio.get_running_loop().time() >= self.deadline:
                    break
                await asyncio.sleep(POLL_SECONDS)
        for (topic, partition), count in behind.items():
            self._behind(service, f"{topic}/{partition}", f"{count} not settled yet")
        return behind

    def _behind(self, service: str, where: str, problem: str) -> None:
        advice = "it goes on by itself when the service runs: `caseloop status`"
        self.findings.add(Finding("settling", f"{service}: {where}", f"{problem}; is {service} running?", advice))

    def _named(self, place: TopicPartition) -> tuple[str, int]:
        return place.topic.removeprefix(self.connection.topic_prefix), place.partition


async def _behind(tables: Tables, ends: Ends) -> dict[tuple[str, int], int]:
    marks = await offsets.marks(tables)
    return {place: end - marks.get(place, 0) for place, end in ends.items() if marks.get(place, 0) < end}


async def _at(consumer: AIOKafkaConsumer, moment: datetime) -> dict[TopicPartition, int]:
    """Return the offset of the first record at or after a moment, else the end, of each partition."""
    places = list(consumer.assignment())
    found = await consumer.offsets_for_times(dict.fromkeys(places, round(moment.timestamp() * 1000)))
    ends = await consumer.end_offsets(places)
    return {place: ends[place] if (at := found.get(place)) is None else at.offset for place in places}
