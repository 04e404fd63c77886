"""How does a poll get from FastStream's task to ours, so that a failure there is ours to raise?"""

import asyncio
from itertools import groupby

from aiokafka import ConsumerRecord
from faststream.kafka import KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER

from services.runtime.records import Record, Slice

Poll = tuple[ConsumerRecord, ...]


class Handover:
    """One poll at a time, from FastStream's task to ours; the giver waits until the poll is settled."""

    def __init__(self) -> None:
        """Begin empty and open."""
        self._poll: Poll | None = None
        self._settled = asyncio.Event()
        self._closed = False
        self.arrived = asyncio.Event()
        """Set when there is a poll, or another reason to look."""

    def open(self) -> None:
        """Begin anew after a closing."""
        self._closed = False

    async def give(self, poll: Poll) -> None:
        """Hand a poll over and wait until it is done with; after the closing it is dropped: its offsets stay."""
        if self._closed:
            return
        self._poll = poll
        self._settled.clear()
        self.arrived.set()
        await self._settled.wait()

    def take(self) -> Poll:
        """Return what has been handed over, perhaps nothing."""
        poll, self._poll = self._poll, None
        return poll or ()

    def done(self) -> None:
        """Let the giver poll again."""
        if self._poll is None:
            self.arrived.clear()
            self._settled.set()

    def close(self) -> None:
        """Take nothing more and let a waiting giver go."""
        self._closed = True
        self._poll = None
        self._settled.set()


async def parse(poll: Poll) -> KafkaMessage:
    """Hand the bytes through FastStream, whose own parser fails on a header without a value."""
    return KafkaMessage(body=b"", raw_message=poll, consumer=FAKE_CONSUMER)


async def decode(message: KafkaMessage) -> Poll:
    """Take the bytes out again."""
    return message.raw_message


def sliced(poll: Poll, prefix: str) -> list[Slice]:
    """Return a slice per partition, topics without their prefix; aiokafka gives the records of each in order."""
    begin = len(prefix)
    return [
        Slice(
            topic[begin:],
            partition,
            [
                Record(topic[begin:], partition, each.offset, each.timestamp, each.key, each.value, each.headers)
                for each in records
            ],
        )
        for (topic, partition), records in groupby(poll, key=lambda each: (each.topic, each.partition))
    ]
