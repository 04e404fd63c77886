"""A producer that writes a header whose name is not UTF-8: ``python -m tests.support.tiny_vandal BROKERS TOPIC``.

Our client library refuses to write such a record in its fast form; run it with ``AIOKAFKA_NO_EXTENSIONS=1``.
"""

import asyncio
import sys

from aiokafka import AIOKafkaProducer


class _Name(str):
    """A name that is other bytes on the wire."""

    __slots__ = ()

    def encode(self, *_: object, **__: object) -> bytes:
        return b"\xff\xfe"


async def main(brokers: str, topic: str) -> None:
    """Write one such record."""
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        await producer.send_and_wait(topic, b"{}", b"vandal", partition=0, headers=[(_Name("x"), b"1")])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
