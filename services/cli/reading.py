"""How does a command read topics: up to their present end, or on and on, without disturbing any group?"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.cli.failures import CommandError
from services.runtime import kafka
from services.runtime.settings import Settings

POLL_MILLISECONDS = 500
Ends = Mapping[TopicPartition, int]
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


@asynccontextmanager
async def reader(
    settings: Settings, topics: Sequence[str], *, check_crcs: bool = True
) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer that stands before all partitions of these topics; it belongs to no group and commits nothing."""
    consumer = AIOKafkaConsumer(
        **kafka.client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        auto_offset_reset="earliest",  # what retention takes away while we read must not let us jump to the end
        check_crcs=check_crcs,
    )
    try:
        await consumer.start()
        names = [settings.topic_prefix + topic for topic in topics]
        await consumer._client.set_topics(names)  # noqa: SLF001 - only so are topics known that nobody subscribed to
        partitions = [TopicPartition(name, part) for name in names for part in _partitions(consumer, name)]
        consumer.assign(partitions)
        yield consumer
    except KafkaConnectionError:
        line = f"Kafka at {settings.kafka_bootstrap} does not answer: start it, or give its address with --kafka"
        raise CommandError(line) from None
    except KafkaError as problem:
        raise CommandError(f"Kafka at {settings.kafka_bootstrap}: {type(problem).__name__}") from None
    finally:
        await consumer.stop()


def _partitions(consumer: AIOKafkaConsumer, topic: str) -> Sequence[int]:
    found = consumer.partitions_for_topic(topic)
    if not found:
        raise CommandError(f"topic {topic} is missing; run `caseloop topics`")
    return sorted(found)


async def ends_of(consumer: AIOKafkaConsumer) -> Ends:
    """Return the offset after the last record of each partition, now."""
    return dict(await consumer.end_offsets(list(consumer.assignment())))


async def seek(consumer: AIOKafkaConsumer, since: datetime | None) -> None:
    """Go to the first record at or after a time; without one to the very beginning."""
    partitions = list(consumer.assignment())
    if since is None:
        places: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    else:
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, round(since.timestamp() * 1000)))
        ends = await consumer.end_offsets(partitions)
        places = {place: ends[place] if (at := found.get(place)) is None else at.offset for place in partitions}
    for place, offset in places.items():
        consumer.seek(place, offset)


async def seek_to_end(consumer: AIOKafkaConsumer) -> None:
    """Go behind the last record: only what comes from now on is read."""
    for place, offset in (await ends_of(consumer)).items():
        consumer.seek(place, offset)


async def records_until(consumer: AIOKafkaConsumer, ends: Ends) -> AsyncIterator[Sequence[Record]]:
    """Yield the records from where the consumer stands up to these ends, in order per partition."""
    waiting = {place for place in ends if await consumer.position(place) < ends[place]}
    while waiting:
        for place, records in (await consumer.getmany(*waiting, timeout_ms=POLL_MILLISECONDS)).items():
            wanted = [record for record in records if record.offset < ends[place]]
            if wanted:
                yield wanted
        waiting = {place for place in waiting if await consumer.position(place) < ends[place]}


def header(record: Record, name: str) -> str | None:
    """Return a header as text, or ``None`` when it is not there or not text."""
    raw = next((value for key, value in record.headers if key == name), None)
    if raw is None:
        return None
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError:
        return None
