"""What exactly is said again: a record as it lies on its topic, events as desk recorded them, a state as stored?"""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from contracts.message import derived_id
from contracts.policy import load_policy
from contracts.registry import MESSAGES
from contracts.router import CaseSnapshot
from services.cli.audit.journal import REPAIR_HEADER, holds
from services.cli.audit.repairs import TellEvents
from services.cli.audit.snapshots import value_of
from services.cli.audit.tables import looking
from services.cli.connection import Connection
from services.cli.failures import CommandError
from services.cli.reading import Record, ends_of, reader
from services.runtime import envelope, kafka
from services.runtime.database import Connection as Tables
from services.runtime.frames import Frame
from services.runtime.settings import STANDARD_POLICY

ROUTER = "caseloop/router"
_SAID_AGAIN = (REPAIR_HEADER, b"1")

RECORDED = """
-- saying.recorded: events of a case as desk took them from the journal
SELECT version, type, occurred_at, data FROM timeline
WHERE case_id = $1 AND version BETWEEN $2 AND $3 ORDER BY version
"""

STATE = """
-- saying.state: the case as it stands, held so that no change goes by while its state is said
SELECT body FROM cases WHERE case_id = $1 FOR NO KEY UPDATE
"""


async def record_at(connection: Connection, topic: str, partition: int, offset: int) -> "Record | None":
    """Return the record that lies there, or ``None`` when the topic no longer keeps it."""
    async with reader(connection.settings(), [topic]) as consumer:
        place = TopicPartition(connection.topic_prefix + topic, partition)
        begins = await consumer.beginning_offsets([place])
        if not begins[place] <= offset < (await ends_of(consumer))[place]:
            return None
        consumer.assign([place])
        consumer.seek(place, offset)
        record: Record = await consumer.getone()
    return record if record.offset == offset else None


async def publish_again(connection: Connection, record: Record) -> None:
    """Put the very same record on its topic once more, as a gateway would that is not sure."""
    producer = kafka.producer(connection.settings())
    try:
        await producer.start()
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
        )
    except KafkaError as problem:
        raise CommandError(f"Kafka did not take {record.topic} again ({type(problem).__name__})") from None
    finally:
        await producer.stop()


def frame_of(connection: Connection, record: Record) -> Frame:
    """Return the record as it stands in an outbox."""
    topic = record.topic.removeprefix(connection.topic_prefix)
    headers = [(name, value) for name, value in record.headers if value is not None]
    return Frame(topic, record.key or b"", record.value or b"", [*headers, _SAID_AGAIN])


async def events_of(connection: Connection, repair: TellEvents) -> list[Frame] | str:
    """Return the events that the journal lacks, or why they cannot be said again.

    Only what is certainly the router's is said again: every hash must be right, and each must follow the one before.
    """
    async with looking(connection.postgres, "desk") as desk:
        rows = await desk.fetch(RECORDED, repair.case_id, repair.first, repair.last)
    if len(rows) < repair.last - repair.first + 1:
        there = {row["version"] for row in rows}
        lacking = next(each for each in range(repair.first, repair.last + 1) if each not in there)
        return f"desk has not recorded version {lacking}: it is lost"
    frames, before = [], None
    for row in rows:
        data = orjson.loads(row["data"])
        if not holds(row["data"]) or data["previous_hash"] != (before or data["previous_hash"]):
            return f"what desk recorded as version {row['version']} is not what the router said"
        before = data["hash"]
        message = MESSAGES[row["type"]].read(row["data"])
        headers = envelope.seal(
            message,
            message_id=derived_id(repair.case_id, "version", row["version"]),
            source=ROUTER,
            time=row["occurred_at"],
            traceparent=None,
        )
        frames.append(Frame("case.events", str(repair.case_id).encode(), row["data"], [*headers, _SAID_AGAIN]))
    return frames


async def snapshot_of(connection: Connection, tables: Tables, case_id: UUID, now: datetime) -> Frame | None:
    """Return the latest state of a case as the router would tell it, inside a transaction that holds the case."""
    body = await tables.fetchval(STATE, case_id)
    if body is None:
        return None
    policy = load_policy(Path(connection.policy) if connection.policy else STANDARD_POLICY).ref
    value = value_of(orjson.loads(body), policy.model_dump(mode="json"))
    told = CaseSnapshot.read(value)
    headers = envelope.seal(
        told,
        message_id=derived_id(case_id, "snapshot", told.version),
        source=ROUTER,
        time=now,
        traceparent=None,
    )
    return Frame("case.snapshots", str(case_id).encode(), value, [*headers, _SAID_AGAIN])
