"""How fast does this broker take and give the same records, with nobody between who looks at them?"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.runtime.records import Record

TOPIC = "bench.limit"
BATCH_BYTES = 262_144
PINGS, PINGS_RESTED = 200, 40


async def rates(bootstrap: str, records: Sequence[Record]) -> tuple[float, float]:
    """Return how many of these records a second can be produced, and consumed from the beginning."""
    async with _a_topic(bootstrap) as part, _a_producer(bootstrap) as producer:
        await producer.send_and_wait(part.topic, b"warm", partition=0)
        began = time.perf_counter()
        await _produce(producer, part.topic, records)
        produced = time.perf_counter() - began
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
            consumer.assign([part])
            consumer.seek(part, 0)
            seen, began = 0, time.perf_counter()
            while seen < len(records):
                polled = await consumer.getmany(timeout_ms=1000, max_records=5000)
                seen += sum(map(len, polled.values()))
            consumed = time.perf_counter() - began
    return len(records) / produced, len(records) / consumed


async def ping_seconds(bootstrap: str, record: Record, rest: float = 0.0) -> float:
    """Return the seconds from producing one record until it has been consumed, half of them, nothing else under way.

    Each goes as soon as the one before has come, or after so many seconds of rest.
    """
    async with (
        _a_topic(bootstrap) as part,
        _a_producer(bootstrap) as producer,
        AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer,
    ):
        consumer.assign([part])
        consumer.seek(part, 0)
        took: list[float] = []
        for _ in range(PINGS_RESTED if rest else PINGS):
            # Who waits asks the broker all the while; aiokafka (0.14) does not where nobody waits.
            waiting = asyncio.ensure_future(consumer.getone()) if rest else None
            await asyncio.sleep(rest)
            began = time.perf_counter()
            await producer.send(part.topic, record.value, record.key, partition=0, headers=list(record.headers))
            await (waiting or consumer.getone())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


async def _produce(producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> None:
    batch, pending = producer.create_batch(), []
    for record in records:
        given = {"key": record.key, "value": record.value, "timestamp": None, "headers": list(record.headers)}
        if batch.append(**given) is None:
            pending.append(await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(**given)
    pending.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*pending)


@asynccontextmanager
async def _a_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES) as producer:
        yield producer


@asynccontextmanager
async def _a_topic(bootstrap: str) -> AsyncIterator[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    topic = f"{TOPIC}.{time.time_ns()}"
    await admin.create_topics([NewTopic(topic, 1, 1)])
    try:
        yield TopicPartition(topic, 0)
    finally:
        await admin.delete_topics([topic])
        await admin.close()
