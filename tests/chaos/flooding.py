"""How do far more events come than can be handled, and what does that cost each process?

The events are encoded by hand and sent in batches, because whoever sends has little time: it shares the machine with
everything that it floods.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, cycle

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.partitioning import partition_of
from tests.chaos.rig import SERVICE_NAMES, Rig
from tests.support.driver import RECEIVED, Driver, Journey, Saying, headers_of
from tests.support.memory import Look, resident, shared, watching

TOPIC = "channel.chat"
BATCH_BYTES = 1_000_000
TICK_SECONDS = 0.05
FIRST = 50_000_000
"""Customers of no driver."""

MEMORY_MIB = {"kafka": 768, "postgres": 1024}
SERVICE_MIB = 384
"""The most that a process may need, whatever waits for it, since what waits stays in Kafka and in PostgreSQL.

A service: 100 when idle; a poll of at most 4,000 records and 8 MiB and the next one fetched ahead, opened and decided
at about 10 KiB each (100); 4,096 cases kept at up to 20 KiB (80); 8 MiB of outbox rows, as rows, as frames and as
batches (32). The broker: its heap of 512 and what Java needs beside it. PostgreSQL, all its processes together: 256
shared and up to 15 for each of about 50 connections.
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """One event, ready to be sent as often as wanted."""

    id: str
    conversation: str
    partition: int
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class Flood:
    """Sends what belongs to one driver, which goes on with the cases that come of it."""

    driver: Driver
    producer: AIOKafkaProducer
    partitions: int
    made: list[Ready] = field(default_factory=list)
    acks: "list[asyncio.Future[object]]" = field(default_factory=list)
    _number: "count[int]" = field(default_factory=lambda: count(FIRST))

    async def contacts(self, number: int) -> None:
        """Send so many first messages at once."""
        await self._send([self._contact() for _ in range(number)])

    async def steadily(self, rate: float, seconds: float, repeats: Iterator[Ready] | None = None) -> int:
        """Send at this rate, new contacts or these repeats, and return how many that were."""
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            due = round(passed * rate) - sent
            await self._send([next(repeats) if repeats else self._contact() for _ in range(due)])
            sent += due
            await asyncio.sleep(TICK_SECONDS)
        return sent

    def again(self) -> Iterator[Ready]:
        """Yield what was sent before, over and over."""
        return cycle(self.made)

    async def arrived(self) -> None:
        """Return when the brokers have all of it."""
        await asyncio.gather(*self.acks)

    def _contact(self) -> Ready:
        number = next(self._number)
        conversation = f"{self.driver.run}-{number}"
        event_id = f"e-{conversation}"
        value = orjson.dumps(self.driver.first(conversation, number))
        headers = headers_of(event_id, RECEIVED, datetime.now(UTC))
        ready = Ready(event_id, conversation, partition_of(conversation.encode(), self.partitions), value, headers)
        self.driver.journeys[conversation] = Journey(sent=time.perf_counter())
        self.made.append(ready)
        return ready

    async def _send(self, events: list[Ready]) -> None:
        left: dict[int, list[Ready]] = {}
        for event in events:
            left.setdefault(event.partition, []).append(event)
        for partition, some in left.items():
            while some:
                del some[: await self._send_batch(partition, some)]

    async def _send_batch(self, partition: int, events: list[Ready]) -> int:
        """Send as many of these as one batch takes and return how many."""
        builder: BatchBuilder = self.producer.create_batch()
        taken = 0
        for event in events:
            key = event.conversation.encode()
            if builder.append(timestamp=None, key=key, value=event.value, headers=event.headers) is None:
                break
            taken += 1
        builder.close()
        ack = await self.producer.send_batch(builder, self.driver.prefix + TOPIC, partition=partition)
        self.acks.append(ack)
        if self.driver.said is not None:
            self.driver.said += [Saying(TOPIC, each.conversation, each.id, RECEIVED, ack) for each in events[:taken]]
        return taken


@asynccontextmanager
async def flooding(driver: Driver) -> AsyncIterator[Flood]:
    """Give a flood of contacts with this driver."""
    producer = AIOKafkaProducer(
        bootstrap_servers=driver.bootstrap, acks="all", max_batch_size=BATCH_BYTES, max_request_size=8 * BATCH_BYTES
    )
    await producer.start()
    try:
        yield Flood(driver, producer, len(await producer.partitions_for(driver.prefix + TOPIC)))
    finally:
        await producer.stop()


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[Mapping[str, int]]:
    """Give the most MiB that each service, Kafka and PostgreSQL have needed, seen again and again in the block."""
    looks: dict[str, Look] = {name: resident(await rig.pid(name)) for name in SERVICE_NAMES}
    looks["kafka"] = resident(rig.servers.kafka.pid)
    looks["postgres"] = shared(rig.servers.postgres.pid)
    async with watching(looks) as most:
        yield most


def too_large(most: Mapping[str, int]) -> Mapping[str, int]:
    """Return who of these needed more MiB than it may."""
    return {name: mib for name, mib in most.items() if mib > MEMORY_MIB.get(name, SERVICE_MIB)}
