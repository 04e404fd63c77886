"""How do many messages reach the brokers at once, in order per key, and who is known to have arrived?

aiokafka's batch API (``create_batch``, ``send_batch``) keeps idempotence: producer id and sequence are stamped on a
batch when the sender takes it (aiokafka 0.14, ``MessageAccumulator._pop_batch``), exactly as for single sends, at a
fifth of the cost. Batches of one partition go one behind the other, each after the ack of the one before; so nothing
overtakes a batch that was refused.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime import kafka
from services.runtime.frames import Frame
from services.runtime.partitioning import NOWHERE, Place, partition_of
from services.runtime.settings import Settings

LEADER_SECONDS = 0.5
"""How long a partition without a leader is waited for: as long as an election takes, while all others wait with it."""
_LEADER_PAUSE_SECONDS = 0.05
_STOP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Published:
    """How a publish went: the ids of the rows that arrived whole, and what kept the others."""

    arrived: Collection[int]
    problem: str | None = None
    left: Mapping[int, Sequence[tuple[Place, Frame]]] = field(default_factory=dict)
    """Of the other rows: what has not arrived, in its order, and where it goes; nothing when that is not known."""
    refused: frozenset[Place] = frozenset()
    """The partitions that did not take all that was to go there."""


class Publisher(Protocol):
    """Whoever takes rows of frames to the brokers."""

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        """Send the frames of these rows in their order and say which arrived; trouble with brokers is in the answer.

        What goes to a partition that is held is not sent and so has not arrived, without being trouble.
        """
        ...


@dataclass(slots=True)
class _Parcel:
    """One batch on its way to one partition."""

    builder: BatchBuilder
    rows: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Shipment:
    """What one publish has to deliver: batches per partition, and how many of them each row still waits for."""

    prefix: str
    partitions: dict[str, int] = field(default_factory=dict)
    """How many each topic has; none when the brokers do not know it, or nobody is to ask them."""
    chains: dict[Place, list[_Parcel]] = field(default_factory=dict)
    outstanding: Counter[int] = field(default_factory=Counter)
    delivered: Counter[Place] = field(default_factory=Counter)
    """How many batches of a partition have arrived."""
    problem: str | None = None

    def arrived(self, rows: Collection[int]) -> list[int]:
        """Return the rows of which no batch is outstanding."""
        return [row for row in rows if self.outstanding[row] == 0]

    def left(self, rows: Mapping[int, Iterable[Frame]]) -> Mapping[int, Sequence[tuple[Place, Frame]]]:
        """Return what stands in batches that have not arrived."""
        arrived = {place: sum(map(_size, chain[: self.delivered[place]])) for place, chain in self.chains.items()}
        return left_of(rows, arrived, self._place)

    def _place(self, frame: Frame) -> Place:
        topic = self.prefix + frame.topic
        return topic, partition_of(frame.key, self.partitions[topic])

    def refused(self, held: Collection[Place]) -> frozenset[Place]:
        """Return the partitions that were to take something and did not take all of it."""
        return frozenset(
            place for place, chain in self.chains.items() if self.delivered[place] < len(chain) and place not in held
        )


def left_of(
    rows: Mapping[int, Iterable[Frame]], arrived: Mapping[Place, int], place_of: Callable[[Frame], Place]
) -> Mapping[int, Sequence[tuple[Place, Frame]]]:
    """Return what is left of these rows when so many frames of each partition have arrived, always the first."""
    behind = Counter(arrived)
    left: dict[int, list[tuple[Place, Frame]]] = {}
    for row, frames in rows.items():
        for frame in frames:
            place = place_of(frame)
            behind[place] -= 1
            if behind[place] < 0:
                left.setdefault(row, []).append((place, frame))
    return left


def _size(parcel: _Parcel) -> int:
    """Return how many frames a batch holds. Only a publish that failed asks; to count all of them would cost each."""
    return int(parcel.builder._relative_offset)  # noqa: SLF001 - aiokafka (0.14) has no public way to ask


class KafkaPublisher:
    """One idempotent producer, replaced after every failure: a refused batch leaves a hole in its sequence numbers."""

    def __init__(self, settings: Settings) -> None:
        """Connect at the first publish."""
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        """Send the frames of these rows in their order and say which rows arrived."""
        shipment: _Shipment | None = None
        problem: str | None = None
        current: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(within_seconds):
                current = await self._started()
                shipment = await self._packed(current, rows, held)
                await _deliver(current, shipment, held)
        except TimeoutError:
            problem = f"no ack within {within_seconds:.1f} s"
        except (KafkaError, OSError) as refusal:
            problem = type(refusal).__name__
        problem = problem or (shipment.problem if shipment else None)
        if problem is not None:
            await self._discard(current)
        if shipment is None:
            return Published((), problem)
        arrived = shipment.arrived(rows)
        left = shipment.left(rows) if len(arrived) < len(rows) else {}
        return Published(arrived, problem, left, shipment.refused(held))

    async def reachable(self) -> bool:
        """Ask the brokers for metadata and tell whether they answered."""
        try:
            return bool(await (await self._started()).client.force_metadata_update())
        except (KafkaError, OSError):
            return False

    async def close(self) -> None:
        """Let go of the brokers; whatever is not acknowledged stays in the outbox."""
        await self._discard(self._producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                fresh = kafka.producer(self._settings)
                try:
                    await fresh.start()
                except BaseException:
                    await _abandon(fresh)
                    raise
                self._producer = fresh
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer | None) -> None:
        if producer is None:
            return
        if self._producer is producer:
            self._producer = None
        await _abandon(producer)

    async def _packed(
        self, producer: AIOKafkaProducer, rows: Mapping[int, Iterable[Frame]], held: Collection[Place]
    ) -> _Shipment:
        """Sort the frames into batches per partition; a batch that is full is followed by another."""
        shipment = _Shipment(self._settings.topic_prefix)
        counts = shipment.partitions
        for row, frames in rows.items():
            for frame in frames:
                topic = shipment.prefix + frame.topic
                if topic not in counts:
                    counts[topic] = 0 if (topic, NOWHERE) in held else await _partitions(producer, topic)
                chain = shipment.chains.setdefault((topic, partition_of(frame.key, counts[topic])), [])
                if not chain or not _append(chain[-1].builder, frame):
                    chain.append(_Parcel(producer.create_batch()))
                    _append(chain[-1].builder, frame)
                if row not in chain[-1].rows:
                    chain[-1].rows.add(row)
                    shipment.outstanding[row] += 1
        return shipment


async def _partitions(producer: AIOKafkaProducer, topic: str) -> int:
    """Return how many partitions a topic has; none when the brokers do not know it."""
    cluster = producer.client.cluster
    await producer.client.add_topic(topic)
    await _known(producer, lambda: cluster.partitions_for_topic(topic) is not None)
    return len(cluster.partitions_for_topic(topic) or ())


async def _known(producer: AIOKafkaProducer, fact: Callable[[], bool]) -> bool:
    """Ask the brokers until they know this, at most as long as an election takes, and tell whether they do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEADER_SECONDS
    while not fact():
        if loop.time() >= deadline:
            return False
        await producer.client.force_metadata_update()
        await asyncio.sleep(_LEADER_PAUSE_SECONDS)
    return True


def _append(builder: BatchBuilder, frame: Frame) -> bool:
    """Put a frame into a batch; tells whether it still fitted (the first always does)."""
    return builder.append(timestamp=None, key=frame.key, value=frame.value, headers=list(frame.headers)) is not None


async def _deliver(producer: AIOKafkaProducer, shipment: _Shipment, held: Collection[Place]) -> None:
    async with asyncio.TaskGroup() as group:
        for place, chain in shipment.chains.items():
            if place not in held:
                group.create_task(_deliver_chain(producer, place, chain, shipment))


async def _deliver_chain(
    producer: AIOKafkaProducer,
    place: Place,
    chain: list[_Parcel],
    shipment: _Shipment,
) -> None:
    """Send the batches of one partition one behind the other; the first that is refused holds back the rest."""
    topic, partition = place
    try:
        if not await _is_led(producer, TopicPartition(topic, partition)):
            raise LeaderNotAvailableError
        for parcel in chain:
            parcel.builder.close()
            await (await producer.send_batch(parcel.builder, topic, partition=partition))
            shipment.outstanding.subtract(parcel.rows)
            shipment.delivered[place] += 1
    except (KafkaError, OSError) as refusal:
        shipment.problem = f"{type(refusal).__name__} on {topic}"


async def _is_led(producer: AIOKafkaProducer, partition: TopicPartition) -> bool:
    """Tell whether a partition has a leader: without one aiokafka (0.14) would wait on, and everybody with it."""
    cluster = producer.client.cluster
    return await _known(producer, lambda: cluster.leader_for_partition(partition) not in (None, -1))


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End a producer now, without the flush of ``stop()``: with idempotence that would wait out the whole outage.

    aiokafka has no public way to do this (0.14). Its sender is cancelled, so that nothing of what we will send again
    with the next producer still leaves with this one; the waiting futures are failed, so that ``stop()`` ends. A
    request in flight that failed waits for metadata, which nobody fetches any more once the client is closed: it is
    told that there are none, else it and the producer would stay for ever. The sender must have ended before
    ``stop()``, which would cancel it once more and so cancel us.
    """
    sender = producer._sender.sender_task  # noqa: SLF001 - see above
    producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001 - see above
    with suppress(KafkaError, OSError):
        if sender is not None:
            sender.cancel()
        await producer.client.close()
        metadata = producer.client._md_update_fut  # noqa: SLF001 - see above
        if metadata is not None and not metadata.done():
            metadata.set_result(False)
        if sender is not None:
            await asyncio.wait([sender], timeout=_STOP_SECONDS)
        if sender is None or sender.done():
            async with asyncio.timeout(_STOP_SECONDS):
                await producer.stop()
