"""What could this machine do at best with the same bytes and the same durable rows? The simplest limit model.

Work that no correct inbox/outbox design can avoid, per case: every record is consumed by each of its readers, decoded
where wanted, stored with its state and its offset, put into an outbox and produced once. Rates are measured raw, in
this run.
"""

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

TOPIC = "bench.limit"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Limit:
    """Raw rates, per second."""

    produce: float
    consume: float
    decode: float
    row_operations: float
    commits: float

    def per_second(self, produced: float, consumed: float, decoded: float, rows: float, cores: int) -> float:
        """Return the smaller of the CPU ceiling and the commit ceiling; arguments are counts per case or event."""
        seconds = produced / self.produce + consumed / self.consume + decoded / self.decode + rows / self.row_operations
        cpu = cores / seconds
        return min(cpu, self.commits * 100)

    def rates(self) -> dict[str, int]:
        """Return the raw rates by name."""
        return {each.name: round(getattr(self, each.name)) for each in fields(self)}


async def measure(bootstrap: str, dsn: str, values: list[bytes]) -> Limit:
    """Measure on these bytes."""
    produce, consume = await _kafka(bootstrap, values)
    return Limit(produce, consume, _decode(values), await _rows(dsn, values), _commits())


async def _kafka(bootstrap: str, values: list[bytes]) -> tuple[float, float]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    topic = f"{TOPIC}.{time.time_ns()}"
    await admin.create_topics([NewTopic(topic, 1, 1)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=262_144)
    await producer.start()
    await producer.send_and_wait(topic, b"warm", partition=0)
    began = time.perf_counter()
    await _produce(producer, topic, values)
    produced = time.perf_counter() - began
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    await consumer.seek(part, 0) if asyncio.iscoroutinefunction(consumer.seek) else consumer.seek(part, 0)
    seen, began = 0, time.perf_counter()
    while seen < len(values):
        polled = await consumer.getmany(timeout_ms=1000, max_records=5000)
        seen += sum(len(records) for records in polled.values())
    consumed = time.perf_counter() - began
    await consumer.stop()
    await admin.delete_topics([topic])
    await admin.close()
    return len(values) / produced, len(values) / consumed


async def _produce(producer: AIOKafkaProducer, topic: str, values: list[bytes]) -> None:
    batch = producer.create_batch()
    pending = []
    for value in values:
        if batch.append(key=b"k", value=value, timestamp=None) is None:
            pending.append(await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(key=b"k", value=value, timestamp=None)
    pending.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*pending)


def _decode(values: list[bytes]) -> float:
    began = time.perf_counter()
    for value in values:
        orjson.dumps(orjson.loads(value))
    return len(values) / (time.perf_counter() - began)


async def _rows(dsn: str, values: list[bytes]) -> float:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TEMP TABLE bench_state (id bigint PRIMARY KEY, version int, body bytea)")
    await connection.execute(
        "DROP TABLE IF EXISTS bench_limit; CREATE TABLE bench_limit (id bigint PRIMARY KEY, version int, body bytea)"
    )
    sample = (values * (BATCH * 20 // len(values) + 1))[: BATCH * 20]
    began = time.perf_counter()
    for start in range(0, len(sample), BATCH):
        part = sample[start : start + BATCH]
        ids = list(range(start, start + len(part)))
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO bench_limit SELECT id, 1, body FROM unnest($1::bigint[], $2::bytea[]) u(id, body)",
                ids,
                part,
            )
        async with connection.transaction():
            await connection.execute(
                "UPDATE bench_limit b SET version = 2, body = u.body FROM unnest($1::bigint[], $2::bytea[]) u(id, body)"
                " WHERE b.id = u.id",
                ids,
                part,
            )
    seconds = time.perf_counter() - began
    await connection.execute("DROP TABLE bench_limit")
    await connection.close()
    return 2 * len(sample) / seconds


def _commits() -> float:
    with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".fsync-") as file:
        began, number = time.perf_counter(), 0
        while time.perf_counter() - began < 1:
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            number += 1
    return number / (time.perf_counter() - began)
