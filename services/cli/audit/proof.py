"""In which order are topics and tables read, so that what is still on its way is not taken for lost?

Upstream ends are fixed first; then the audit waits until the next service has settled up to them and has said what
it decided; only then the topic behind it is read.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from contracts.topics import CHANNELS
from services.cli.audit.chains import Chains
from services.cli.audit.doors import Doors
from services.cli.audit.findings import Findings
from services.cli.audit.promises import Promises
from services.cli.audit.settling import known_to, parked_of, settled
from services.cli.connection import Connection
from services.cli.reading import Record as KafkaRecord
from services.cli.reading import ends_of, header, reader, records_until, seek
from services.runtime.records import Record

CHANNEL_TOPICS = tuple(f"channel.{name}" for name in CHANNELS)
_SLACK = timedelta(minutes=1)
"""A gateway's clock may be ahead of ours: what follows from an event may look older than it."""


@dataclass(slots=True)
class Proof:
    """What was read and what does not hold."""

    findings: Findings = field(default_factory=Findings)
    endings: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    events: int = 0
    duplicates: int = 0
    promises: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """One audit on its way."""

    connection: Connection
    since: datetime | None
    deadline: float
    proof: Proof

    @property
    def prefix(self) -> str:
        return self.connection.topic_prefix

    async def settle(self, service: str, topics: Sequence[str]) -> None:
        """Wait for a service; what it has not settled in time is a finding."""
        async with reader(self.connection.settings(), topics) as consumer:
            ends = {
                (place.topic.removeprefix(self.prefix), place.partition): end
                for place, end in (await ends_of(consumer)).items()
            }
        for (topic, partition), count in (
            await settled(self.connection.postgres, service, ends, self.deadline)
        ).items():
            where = f"{service}: {topic}" + (f"/{partition}" if partition or "." in topic else "")
            self.proof.findings.add("settling", where, f"{count} not settled yet; is {service} running?")

    async def records(self, topics: Sequence[str], since: datetime | None) -> AsyncIterator[KafkaRecord]:
        """Yield what stands on these topics now, in order per partition."""
        async with reader(self.connection.settings(), topics) as consumer:
            ends = await ends_of(consumer)
            await seek(consumer, since)
            async for some in records_until(consumer, ends):
                for record in some:
                    yield record


async def prove(connection: Connection, since: datetime | None, wait_seconds: float, now: datetime) -> Proof:
    """Return the proof over everything since then, or over everything that is kept."""
    reading = _Reading(connection, since, asyncio.get_running_loop().time() + wait_seconds, Proof())
    findings = reading.proof.findings
    await reading.settle("intake", CHANNEL_TOPICS)
    await reading.settle("router", ["contacts", "case.commands"])
    await reading.settle("followup", ["case.events"])
    doors = Doors(
        findings, await parked_of(connection.postgres, "intake"), await parked_of(connection.postgres, "router")
    )
    chains, promises = Chains(findings, from_start=since is None), Promises()
    earlier = since - _SLACK if since else None
    async for record in reading.records(["contacts"], earlier):
        doors.take_contact(_plain(record, reading.prefix))
    async for record in reading.records(CHANNEL_TOPICS, since):
        doors.take_channel_event(_plain(record, reading.prefix))
    async for record in reading.records(["case.events"], earlier):
        data = chains.take(record.value, record.key, f"case.events/{record.partition}@{record.offset}")
        promises.take_event(header(record, "ce_type") or "", data)
        doors.take_cause(str(data.get("cause", {}).get("id")))
    async for record in reading.records(["followups"], earlier):
        promises.take_clock(header(record, "ce_type") or "", orjson.loads(record.value or b"{}"))
    await _conclude(reading, doors, chains, promises, now)
    return reading.proof


async def _conclude(reading: _Reading, doors: Doors, chains: Chains, promises: Promises, now: datetime) -> None:
    proof = reading.proof
    waiting = [event.message_id for event in doors.waiting]
    doors.close(await known_to(reading.connection.postgres, "intake", waiting) if waiting else set())
    proof.endings = doors.endings
    proof.cases, proof.events, proof.duplicates = len(chains.chains), chains.events, chains.duplicates
    proof.promises = promises.judge(proof.findings, now)


def _plain(record: KafkaRecord, prefix: str) -> Record:
    return Record(
        record.topic.removeprefix(prefix),
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )
