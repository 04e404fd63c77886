"""Who sends first records and sees cases close?"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench.peers.event import CLOSED, CONTACTS, first
from tests.bench.workload import NoResultError
from tests.support.driver import Journey


class Customers(Protocol):
    """Those of the product are a driver, who also does what people at work would do; those of a peer are below."""

    closed: int
    journeys: dict[str, Journey]

    async def contact(self) -> str:
        """Send the first record of a case and return its name."""

    async def until_closed(self, goal: int, seconds: float) -> None:
        """Return when so many cases have been closed in all; ``TimeoutError`` when they never are."""

    async def until_quiet(self, seconds: float) -> None:
        """Return when what follows a case's close is over."""


@dataclass(slots=True)
class PeerCustomers:
    """They read committed last records only, and refuse a case that is closed twice."""

    topics: str
    """What the names of the topics begin with."""
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    closed: int = 0
    journeys: dict[str, Journey] = field(default_factory=dict)

    async def contact(self) -> str:
        """Send the first record of a case and return its name."""
        name = uuid4().hex
        self.journeys[name] = Journey(sent=time.perf_counter())
        record = first(name, datetime.now(UTC).isoformat())
        await self.producer.send(self.topics + CONTACTS, record, key=name.encode())
        return name

    async def until_closed(self, goal: int, seconds: float) -> None:
        """Read until so many cases have been closed in all; ``TimeoutError`` when they never are."""
        async with asyncio.timeout(seconds):
            while self.closed < goal:
                await self._read()

    async def until_quiet(self, seconds: float) -> None:
        """Return at once: nothing follows a close."""

    async def _read(self) -> None:
        polled = await self.consumer.getmany(timeout_ms=1000, max_records=5000)
        now = time.perf_counter()
        for record in (record for records in polled.values() for record in records):
            journey = self.journeys.get(record.key.decode())
            if journey is None or journey.closed:
                raise NoResultError(f"a case was closed twice or never begun: {record.key}")
            journey.closed = now
            self.closed += 1


@asynccontextmanager
async def customers_of(kafka: str, topics: str) -> AsyncIterator[PeerCustomers]:
    """Give customers of the peer whose topics' names begin so."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    consumer = AIOKafkaConsumer(
        topics + CLOSED, bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    try:
        yield PeerCustomers(topics, producer, consumer)
    finally:
        await consumer.stop()
        await producer.stop()
