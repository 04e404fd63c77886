"""How is a history read from real servers, and when is a run over?"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.topics import TOPICS
from services.desk.app import SERVICE as DESK
from services.followup.app import SERVICE as FOLLOWUP
from services.intake.app import SERVICE as INTAKE
from services.notify.app import SERVICE as NOTIFY
from services.router.app import SERVICE as ROUTER
from tests.support.history.model import (
    Acceptance,
    Delivery,
    History,
    Parked,
    Place,
    Record,
    Sent,
    Tables,
    Waiting,
    ordered,
)

SERVICES = {service.name: service.topics for service in (INTAKE, ROUTER, FOLLOWUP, NOTIFY, DESK)}
FOLLOWERS = frozenset({"router", "followup", "desk"})
"""Who knows every version of every case."""
LOOK_SECONDS = 0.1

_MARKS = "SELECT topic, partition, next_offset FROM koff"
_WAIT = """
SELECT 'outbox row', id::text, extract(epoch FROM created_at)::float8 FROM outbox
UNION ALL SELECT 'timer', timer_id::text, extract(epoch FROM due_at)::float8 FROM timers WHERE due_at < now()
"""
_WAIT_MORE = {
    "router": "SELECT 'snapshot', case_id::text, extract(epoch FROM since)::float8 FROM snapshots_due",
    "notify": """SELECT state || ' delivery', delivery_id::text, extract(epoch FROM changed_at)::float8
        FROM deliveries WHERE state IN ('sending', 'unknown') OR (state = 'queued' AND due_at < now())""",
}
_PARKED = "SELECT topic, partition, record_offset, status, reason FROM parked"
_VERSIONS = "SELECT case_id::text, version FROM cases"
_DELIVERIES = """
SELECT delivery_id::text, case_id IS NOT NULL AND purpose <> 'greeting' AS told, state, channel <> 'sms' AS by_gateway,
    CASE WHEN cause_type LIKE 'caseloop.timer.%' THEN '' ELSE cause_id END
FROM deliveries
"""
_STANDINGS = """
SELECT clock_id::text AS id, extract(epoch FROM changed_at)::float8 AS at FROM clocks
UNION ALL SELECT delivery_id::text, extract(epoch FROM changed_at)::float8 FROM deliveries
"""
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers of a run are."""

    kafka: str
    postgres: str
    sms: str
    prefix: str = ""


async def record(addresses: Addresses, sent: Sequence[Sent]) -> History:
    """Return all that stands there now."""
    records, ends = await _read(addresses)
    async with _connected(addresses) as connection:
        tables = await _tables(connection, ends)
        ended_at = await connection.fetchval(_NOW)
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        answer = (await client.get(f"{addresses.sms}/messages")).json()
    accepted = [Acceptance(m["client_reference"], m["to"], m["text"], m["accepted_at"]) for m in answer["messages"]]
    return History(sent, ordered(records), ends, accepted, tables, ended_at)


async def quiet(addresses: Addresses, seconds: float) -> bool:
    """Wait until everything has been read, said and done twice in a row, and tell whether that came in time."""
    calm = 0
    async with _consuming(addresses) as (consumer, parts):
        try:
            async with asyncio.timeout(seconds), _connected(addresses) as connection:
                while calm < 2:
                    ends = {
                        _place(part, addresses): (0, end) for part, end in (await consumer.end_offsets(parts)).items()
                    }
                    calm = calm + 1 if _is_done(await _tables(connection, ends, whole=False), ends) else 0
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return False
    return True


def _is_done(tables: Tables, ends: Mapping[Place, tuple[int, int]]) -> bool:
    behind = any(mark < ends[topic, partition][1] for (_, topic, partition), mark in tables.marks.items())
    return not behind and not tables.waiting and not any(each.status == "retry" for each in tables.parked)


def _place(part: TopicPartition, addresses: Addresses) -> Place:
    return part.topic.removeprefix(addresses.prefix), part.partition


@asynccontextmanager
async def _connected(addresses: Addresses) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(addresses.postgres)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _consuming(addresses: Addresses) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=addresses.kafka, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        names = [addresses.prefix + topic for topic in TOPICS]
        await consumer._client.set_topics(names)
        parts = [TopicPartition(name, part) for name in names for part in sorted(consumer.partitions_for_topic(name))]
        consumer.assign(parts)
        yield consumer, parts
    finally:
        await consumer.stop()


async def _read(addresses: Addresses) -> tuple[list[Record], dict[Place, tuple[int, int]]]:
    records: list[Record] = []
    async with _consuming(addresses) as (consumer, parts):
        firsts, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
        for part in parts:
            consumer.seek(part, firsts[part])
        left = {part for part in parts if firsts[part] < ends[part]}
        while left:
            for part, some in (await consumer.getmany(*left, timeout_ms=500, max_records=5000)).items():
                topic = part.topic.removeprefix(addresses.prefix)
                records += [_record(topic, each) for each in some if each.offset < ends[part]]
            left = {part for part in left if await consumer.position(part) < ends[part]}
        return records, {_place(part, addresses): (firsts[part], ends[part]) for part in parts}


def _record(topic: str, record: "ConsumerRecord[bytes, bytes]") -> Record:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    return Record(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        (record.key or b"").decode("utf-8", "replace"),
        headers.get("ce_id", ""),
        headers.get("ce_type", ""),
        headers.get("ce_source", ""),
        record.value or b"",
    )


async def _tables(
    connection: "asyncpg.Connection[asyncpg.Record]", ends: Mapping[Place, tuple[int, int]], *, whole: bool = True
) -> Tables:
    """Return what the services remember; without ``whole`` only what tells whether they are done."""
    marks: dict[tuple[str, str, int], int] = {}
    parked: list[Parked] = []
    waiting: list[Waiting] = []
    versions: dict[str, dict[str, int]] = {}
    for service, topics in SERVICES.items():
        await _enter(connection, service)
        marks |= {(service, topic, part): 0 for topic, part in ends if topic in topics}
        for row in await connection.fetch(_MARKS):
            marks[service, row["topic"], row["partition"]] = row["next_offset"]
        parked += [Parked(service, *row) for row in await connection.fetch(_PARKED)]
        waiting += [Waiting(service, *row) for row in await connection.fetch(_WAIT)]
        if service in _WAIT_MORE:
            waiting += [Waiting(service, *row) for row in await connection.fetch(_WAIT_MORE[service])]
        if whole and service in FOLLOWERS:
            versions[service] = {row["case_id"]: row["version"] for row in await connection.fetch(_VERSIONS)}
    if not whole:
        return Tables(marks, parked, waiting=waiting)
    await _enter(connection, "notify")
    deliveries = [Delivery(*row) for row in await connection.fetch(_DELIVERIES)]
    await _enter(connection, "desk")
    standings = {row["id"]: row["at"] for row in await connection.fetch(_STANDINGS)}
    return Tables(marks, parked, versions, deliveries, standings, waiting)


async def _enter(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> None:
    await connection.execute("SELECT set_config('search_path', $1, false)", service)
