"""W5: how many events a second does one service take from Kafka, with their effect exactly once, and answer on Kafka?

A whole service as in production: consume, validate, inbox, one row of state and one message said for each event, relay,
acks of the brokers. It is fed while it works; the clock stops when the last answer stands on its topic.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.desk import ReachMilestone
from contracts.message import derived_id
from contracts.notify import Notification
from contracts.topics import TOPICS
from contracts.values import Actor
from services.runtime import envelope, kafka
from services.runtime.clock import SystemClock
from services.runtime.database import Pool, open_pool
from services.runtime.frames import Frame
from services.runtime.publishing import KafkaPublisher
from services.runtime.records import Record
from services.runtime.settings import STANDARD_POLICY, Settings
from tests.bench import hop, rawrows
from tests.bench.limit import Counts, Sample, measure
from tests.bench.processor import each, used
from tests.bench.workload import Ground, Measured, NoResultError, percentile
from tests.support.floor import migrate_schema, settings_for
from tests.support.tiny_service import answer_id

CASES = 40_000
"""Events go round them in turn, so that nearly every event of a batch has a row of its own."""
PORTION = 5_000
PACE_MAX = 5_000.0
"""Events per second, at most half of what was just found possible, while it is measured how long an event takes from
its sender to the reader of its answer."""
TICK_SECONDS = 0.005
LOOK_SECONDS = 0.03
VALUE_BYTES = 531
ONE_HOP = Counts(consumed=1, decoded=1, encoded=1, produced=1, busiest=1)
DEADLINE_SECONDS = 100.0
SETTLED_SECONDS = 10.0
SOURCE = "bench/driver"
COUNTED = """
SELECT (SELECT count(*) FROM inbox) AS inbox, (SELECT sum(events) FROM state) AS state,
    (SELECT count(*) FROM outbox) AS outbox, (SELECT count(*) FROM parked) AS parked
"""


@dataclass(slots=True)
class Bench:
    """The feeding side, and what was fed so far."""

    settings: Settings
    publisher: KafkaPublisher
    reader: AIOKafkaConsumer
    places: Sequence[TopicPartition]
    pool: Pool
    fed: int = 0

    def frames(self, count: int) -> list[Frame]:
        """Return the next events."""
        first, self.fed = self.fed, self.fed + count
        now = SystemClock().now()
        return [_frame(number, now) for number in range(first, first + count)]

    async def feed(self, frames: Sequence[Frame]) -> None:
        """Put events onto the topic."""
        published = await self.publisher.publish({0: frames}, 20.0)
        if published.problem is not None:
            raise NoResultError(published.problem)

    async def answered(self) -> int:
        """Return how many answers stand on their topic."""
        return sum((await self.reader.end_offsets(self.places)).values())

    async def drained(self) -> None:
        """Wait until everything that was fed is answered."""
        deadline = time.perf_counter() + DEADLINE_SECONDS
        while (answered := await self.answered()) < self.fed:
            if time.perf_counter() > deadline:
                raise NoResultError(f"{answered} of {self.fed} events answered after {DEADLINE_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)


async def run(ground: Ground) -> Measured:
    """Measure as often as wanted, the limit before each run."""
    measured = Measured()
    events = ground.size(150_000, 40_000)
    async with _a_bench(ground) as bench, _a_service(ground, bench.settings) as pid:
        await bench.feed(bench.frames(PORTION))  # warm: compiled statements, the broker's compiler
        await bench.drained()
        for _ in range(ground.runs):
            rate = await _measure(ground, bench, measured, events, pid)
            await _pace(bench, measured, min(PACE_MAX, rate / 2), ground.size(8, 4))
        measured.details["checked"] = await _counted(bench)
    return measured


async def _measure(ground: Ground, bench: Bench, measured: Measured, events: int, pid: int) -> float:
    frames = bench.frames(events)
    limit = await measure(ground.kafka, ground.postgres, ground.scratch, _sample(frames[:20_000]))
    before, began = used({pid: hop.NAME}), time.perf_counter()
    for at in range(0, events, PORTION):
        await bench.feed(frames[at : at + PORTION])
    await bench.drained()
    rate = events / (time.perf_counter() - began)
    measured.add("W5_events_per_second", rate, limit.per_second(ONE_HOP))
    cost = each(before, used({pid: hop.NAME}), events, 1e6)
    measured.add("W5_cpu_us_per_event", cost["sum"])
    measured.details["cpu_us_per_event"] = cost
    measured.details["raw_rates"] = limit.rates()
    return rate


async def _pace(bench: Bench, measured: Measured, pace: float, seconds: int) -> None:
    """Send at an even pace and note how long it takes until the answer has been read."""
    frames = bench.frames(round(pace * seconds))
    sent: dict[bytes, float] = {}
    for place in bench.places:
        bench.reader.seek(place, (await bench.reader.end_offsets([place]))[place])
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_read(bench.reader, sent, len(frames)))
        await _send(bench, frames, sent, pace)
    measured.add("W5_e2e_events_per_second", pace)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        measured.add(f"W5_e2e_{name}_ms", percentile(reading.result(), share) * 1000)


async def _send(bench: Bench, frames: Sequence[Frame], sent: dict[bytes, float], pace: float) -> None:
    """Send as many as should have been sent by now, again and again; what is late is late for its events too."""
    began, done = time.perf_counter(), 0
    while done < len(frames):
        wanted = min(int((time.perf_counter() - began) * pace), len(frames))
        some = frames[done:wanted]
        for number, frame in enumerate(some, done):
            sent[_answer_of(frame)] = began + number / pace
        done = wanted
        if some:
            await bench.feed(some)
        await asyncio.sleep(TICK_SECONDS)


async def _read(reader: AIOKafkaConsumer, sent: dict[bytes, float], total: int) -> list[float]:
    seconds: list[float] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(seconds) < total:
            for records in (await reader.getmany(timeout_ms=200)).values():
                now = time.perf_counter()
                seconds += [now - sent[dict(record.headers)["ce_id"]] for record in records]
    return seconds


async def _counted(bench: Bench) -> dict[str, int]:
    """Count in the tables and on the topic; a lost or doubled event is no result."""
    row = await _settled(bench.pool)
    for place in bench.places:
        bench.reader.seek(place, 0)
    ids: list[bytes] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(ids) < await bench.answered():
            for records in (await bench.reader.getmany(timeout_ms=200)).values():
                ids += [dict(record.headers)["ce_id"] for record in records]
    found = {**row, "answers": len(ids), "of_different_events": len(set(ids))}
    wanted = {"inbox": bench.fed, "state": bench.fed, "outbox": 0, "parked": 0}
    wanted |= {"answers": bench.fed, "of_different_events": bench.fed}
    if found != wanted:
        raise NoResultError(f"{found}, {wanted} would be right")
    return found


async def _settled(pool: Pool) -> dict[str, int]:
    """Count once the relay has forgotten what has arrived: it does so only with its next look."""
    deadline = time.perf_counter() + SETTLED_SECONDS
    while True:
        row = dict(await pool.fetchrow(COUNTED) or {})
        if row["outbox"] == 0 or time.perf_counter() > deadline:
            return row
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def _a_bench(ground: Ground) -> AsyncIterator[Bench]:
    settings = settings_for(ground.postgres, ground.kafka, topic_partitions=None)
    await kafka.create_topics(settings, TOPICS.values())
    await migrate_schema(settings, hop.NAME)
    topic = settings.topic_prefix + Notification.topic
    places = [TopicPartition(topic, number) for number in range(TOPICS[Notification.topic].partitions)]
    publisher = KafkaPublisher(settings)
    async with open_pool(settings, hop.NAME) as pool, AIOKafkaConsumer(**kafka.client_options(settings)) as reader:
        await pool.execute(hop.STATE)
        reader.assign(places)
        yield Bench(settings, publisher, reader, places, pool)
        await publisher.close()


@asynccontextmanager
async def _a_service(ground: Ground, settings: Settings) -> AsyncIterator[int]:
    """Run the service as a process of its own and give its id; all that it is told is where the servers are."""
    told = {
        "CASELOOP_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CASELOOP_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "CASELOOP_TOPIC_PREFIX": settings.topic_prefix,
    }
    with (ground.scratch / "hop.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.hop"),
            env={**os.environ, **told},
            cwd=STANDARD_POLICY.parents[2],
            stdout=log,
            stderr=log,
        )
        try:
            yield process.pid
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _sample(frames: Sequence[Frame]) -> Sample:
    found = [Record(f.topic, 0, number, 0, f.key, f.value, f.headers) for number, f in enumerate(frames)]
    return Sample(found, (hop.SERVICE,), rawrows.HOP)


def _frame(number: int, now: datetime) -> Frame:
    """Return one command, whose value has the size of a case event."""
    case = derived_id("hop", number % CASES)
    said = {"number": str(number)}
    bare = len(_command(case, said).value())
    command = _command(case, {**said, "text": "x" * (VALUE_BYTES - bare - len(',"text":""'))})
    headers = envelope.seal(command, message_id=derived_id("event", number), source=SOURCE, time=now, traceparent=None)
    return Frame(command.topic_name(), command.key().encode(), command.value(), headers)


def _command(case: UUID, said: dict[str, str]) -> ReachMilestone:
    return ReachMilestone(case_id=case, by=Actor(kind="system", id="bench"), milestone="refund_issued", details=said)


def _answer_of(frame: Frame) -> bytes:
    event = dict(frame.headers)["ce_id"].decode()
    return str(answer_id(derived_id(SOURCE, event))).encode()
