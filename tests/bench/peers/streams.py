"""Kafka Streams: for scale, since it keeps its state in Kafka and syncs nothing.

Its program is ``programs/Cases.java``. ``python -m tests.bench.peers.streams`` compiles it with Eclipse's compiler, for
which any Java will do; ``... lock`` resolves the jars of both anew and writes ``streams.lock``.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from deploy.local.jars import KAFKA_VERSION, locked_jars, write_lock
from deploy.local.java import find_java
from tests.bench.peers.event import PARTITIONS, STEPS
from tests.bench.peers.stand import HOME, INSTALL, Stand, Stored, program

NAME = "streams"
SETTINGS = (
    "Kafka Streams, exactly_once_v2 with its commit interval of 100 ms (default), two threads, five processors in a "
    "row with one RocksDB store, nothing synced: what it keeps is as safe as the broker's page cache; counted are the "
    "committed records of the store's changelog"
)
DEFAULTS = (
    "at_least_once with its commit interval of 30 s, one thread: a crash does up to 30 s of cases again and closes "
    "them twice"
)
BEST = ("processing.guarantee=exactly_once_v2", "num.stream.threads=2")
CASES = 8000
TOPICS: Sequence[str] = ()
LOCK = Path(__file__).with_name("streams.lock")
SOURCE = Path(__file__).with_name("programs") / "Cases.java"
CLASSES = HOME / "java"
STREAMS, COMPILER = f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}", "org.eclipse.jdt:ecj:3.41.0"


def missing() -> str:
    """Return what has to be installed first, or nothing."""
    return "" if (CLASSES / "Cases.class").exists() else INSTALL


@asynccontextmanager
async def running(stand: Stand, *, defaults: bool = False) -> AsyncIterator[None]:
    """Run its process."""
    *jars, _ = _jars()
    java = (str(find_java().executable), "-Xmx512m", "-cp", ":".join(map(str, (CLASSES.absolute(), *jars))))
    places = (stand.kafka, stand.prefix, str(stand.folder / "state"))
    with program(stand, NAME, *java, "Cases", *places, *(() if defaults else BEST)):
        yield


async def stored(stand: Stand) -> Stored:
    """Read the whole changelog, as far as it is committed."""
    places = [TopicPartition(f"{stand.prefix}streams-cases-changelog", place) for place in range(PARTITIONS)]
    states: dict[bytes, str] = {}
    steps: Counter[bytes] = Counter()
    async for records in _committed(stand.kafka, places):
        states |= {record.key: orjson.loads(record.value)["state"] for record in records}
        steps.update(record.key for record in records)
    done = sum(states[case] == STEPS[-1] and steps[case] == len(STEPS) for case in states)
    return Stored(done, steps.total())


async def _committed(kafka: str, places: Sequence[TopicPartition]) -> AsyncIterator[Sequence[ConsumerRecord]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                yield records
    finally:
        await consumer.stop()


def _jars() -> list[Path]:
    """Return the jars that it runs on, and the compiler as the last."""
    return locked_jars(LOCK, f"Kafka Streams {KAFKA_VERSION}", KAFKA_VERSION, lambda line: print(line, file=sys.stderr))  # noqa: T201 - a person waits


def install() -> None:
    """Compile the program."""
    *jars, compiler = _jars()
    words = ("-17", "-d", str(CLASSES), "-cp", ":".join(map(str, jars)), str(SOURCE))
    subprocess.run([find_java().executable, "-jar", compiler, *words], check=True)


if __name__ == "__main__":
    write_lock(LOCK, STREAMS, (COMPILER,)) if sys.argv[1:] == ["lock"] else install()
