"""W4p: how much faster is the product than the same libraries by hand, five durable steps a case, in the same run?"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.bench.peers import plain
from tests.bench.workload import Ground, Measured, NoResultError
from tests.bench.workloads.closed_loop import product, saturate, warmed
from tests.support.driver import BROKEN

CASES, CASES_QUICK = 2000, 600
ALONE = 20
WARM = 100
DEADLINE_SECONDS = 180.0


async def run(ground: Ground) -> Measured:
    """Measure the two in turn; the figure with a limit has the product as product and the peer as limit."""
    measured = Measured()
    cases = ground.size(CASES, CASES_QUICK)
    await _prepared(ground)
    for _ in range(1 if ground.quick else ground.runs):
        by_hand, alone = await _plain(ground, cases)
        ours = await _product(ground, cases)
        measured.add("W4p_product_to_plain_cases_per_second", ours, by_hand)
        measured.add("W4p_plain_cases_per_second", by_hand)
        measured.add("W4p_plain_alone_closed_ms", alone)
    measured.details["cases"] = cases
    return measured


async def _product(ground: Ground, cases: int) -> float:
    with product(ground) as system:
        driver = await warmed(system, WARM)
        rate = cases / await saturate(driver, cases)
        await driver.stop()
        return rate


async def _prepared(ground: Ground) -> None:
    """Make the peer's tables and topics."""
    connection = await asyncpg.connect(ground.postgres)
    await connection.execute(plain.SCHEMA)
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
    await admin.start()
    topics = (*plain.TOPICS.values(), plain.CLOSED)
    await admin.create_topics([NewTopic(plain.PREFIX + topic, plain.PARTITIONS, 1) for topic in topics])
    await admin.close()


async def _plain(ground: Ground, cases: int) -> tuple[float, float]:
    """Return the peer's cases per second, and the milliseconds of one alone, half of them."""
    with _steps(ground):
        async with _customers(ground) as customers:
            await customers.closed(WARM)
            alone = [await customers.closed(1) for _ in range(ALONE)]
            seconds = await customers.closed(cases)
        await _counted(ground)
    return cases / seconds, 1000 * statistics.median(alone)


@contextmanager
def _steps(ground: Ground) -> Iterator[None]:
    """Run a process for each step."""
    environment = {**os.environ, "PEER_KAFKA": ground.kafka, "PEER_POSTGRES": ground.postgres}
    command = [sys.executable, "-m", plain.__name__]
    with (ground.scratch / "plain.log").open("ab") as log:
        running = [subprocess.Popen([*command, step], env=environment, stdout=log, stderr=log) for step in plain.STEPS]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


class _Customers:
    """Who sends first records and counts last ones."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self._producer = producer
        self._consumer = consumer

    async def closed(self, cases: int) -> float:
        """Return the seconds from the first record of so many cases to the last that was closed."""
        names = {uuid4().hex for _ in range(cases)}
        began = time.perf_counter()
        for name in names:
            now = datetime.now(UTC)
            event = plain.Event(case_id=name, state="new", at=now, text=BROKEN, facts={"error_code": "ERR-500"})
            topic = plain.PREFIX + plain.TOPICS["open"]
            await self._producer.send(topic, event.model_dump_json().encode(), key=name.encode())
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while names:
                    polled = await self._consumer.getmany(timeout_ms=1000, max_records=5000)
                    names -= {record.key.decode() for records in polled.values() for record in records}
        except TimeoutError:
            raise NoResultError(f"the peer did not close {len(names)} of {cases} cases") from None
        return time.perf_counter() - began


@asynccontextmanager
async def _customers(ground: Ground) -> AsyncIterator[_Customers]:
    producer = AIOKafkaProducer(bootstrap_servers=ground.kafka, acks="all")
    consumer = AIOKafkaConsumer(plain.PREFIX + plain.CLOSED, bootstrap_servers=ground.kafka)
    await producer.start()
    await consumer.start()
    try:
        yield _Customers(producer, consumer)
    finally:
        await consumer.stop()
        await producer.stop()


async def _counted(ground: Ground) -> None:
    """Refuse a figure when a case of the peer has another number of steps than five."""
    connection = await asyncpg.connect(ground.postgres)
    wrong = await connection.fetchval("SELECT count(*) FROM plain.cases WHERE state <> 'close' OR version <> 5")
    await connection.close()
    if wrong:
        raise NoResultError(f"{wrong} cases of the peer are not what five steps make")
