"""Where does FastStream end?

Here. It connects, joins the group, polls and stops; it decides nothing about offsets. A poll is handed over to the loop
of :meth:`Subscription.run`, which settles it, so that a failure there ends the service instead of being swallowed.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from services.runtime import fetch_sessions, kafka, lenient, metrics, waiting
from services.runtime.consumer import Consumer
from services.runtime.crashing import crash_point
from services.runtime.database import PASSING
from services.runtime.errors import TransientError
from services.runtime.handover import Handover, decode, parse, sliced
from services.runtime.lifecycle import done_before, wait
from services.runtime.logs import Log
from services.runtime.offsets import FencedError
from services.runtime.records import Partition, Slice
from services.runtime.settings import Settings
from services.runtime.waiting import NO_REST, Rest

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from faststream.kafka.subscriber.usecase import BatchSubscriber

COMMIT_SECONDS = 2.0
"""How often Kafka is told where we are; only lag tools look at it."""
MISSED_SECONDS = 10.0
"""How often it is asked whether something was deleted that nothing has followed yet."""
BEGINNINGS_SECONDS = 2.0
LOOK_SECONDS = 0.25
PAUSE_SECONDS_FIRST = 0.05
PAUSE_SECONDS_MAX = 2.0
SESSION_MILLISECONDS = 6_000
"""After this long a member that died is missed; brokers allow no less by default."""


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no type hints
    """The topics of one service, read by one member of its group."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Sequence[str],
        consumer: Consumer,
        log: Log,
        *,
        rest: Rest = NO_REST,
    ) -> None:
        """Prepare; nothing is connected before :meth:`run`. ``rest``: see :mod:`services.runtime.waiting`."""
        self._settings = settings
        self._rest = rest
        self._prefix = settings.topic_prefix
        self._consumer = consumer
        self._log = log
        self._handover = Handover()
        self._assigned: set[Partition] = set()
        self._new: set[Partition] = set()
        self._committed: dict[Partition, int] = {}
        self._miss_at = 0.0
        self._commit_at = 0.0
        self._pause = PAUSE_SECONDS_FIRST
        self._broker = KafkaBroker(
            settings.kafka_bootstrap.split(","),
            security=kafka.faststream_security(settings),
            consumer_only=True,
            allow_auto_create_topics=False,
            graceful_timeout=1.0,
            apply_types=False,
            logger=logging.getLogger("caseloop.kafka"),
            log_level=logging.DEBUG,
            request_timeout_ms=kafka.REQUEST_MILLISECONDS * 2,
        )
        self._subscriber = self._subscribe(group, topics)

    def _subscribe(self, group: str, topics: Sequence[str]) -> "BatchSubscriber":
        subscriber = self._broker.subscriber(
            *(self._prefix + topic for topic in topics),
            group_id=self._prefix + group,
            batch=True,
            max_records=self._settings.batch_records_max,
            batch_timeout_ms=round(self._settings.poll_wait_seconds * 1000),
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            no_reply=True,
            parser=parse,
            decoder=decode,
            listener=self,
            fetch_max_bytes=self._settings.batch_bytes_max,
            session_timeout_ms=SESSION_MILLISECONDS,
            heartbeat_interval_ms=SESSION_MILLISECONDS // 3,
        )
        if subscriber.ack_policy is not AckPolicy.MANUAL:
            raise AssertionError(subscriber.ack_policy)
        subscriber(self._receive)
        return subscriber

    async def run(self, stopping: asyncio.Event) -> None:
        """Settle polls until told to stop; what is in hand is finished, then the group is left.

        Whatever is not known to pass by itself comes out of here and ends the service.
        """
        lenient.install()
        self._handover.open()
        try:
            if await done_before(stopping, self._join()):
                await self._read(stopping)
        finally:
            self._handover.close()
            await self._broker.stop()

    async def _join(self) -> None:
        """Become a member of the group; ``TransientError`` when Kafka is away, or goes away meanwhile."""
        try:
            await self._broker.start()
        except KafkaError as problem:
            raise TransientError(f"Kafka cannot be joined: {type(problem).__name__}") from problem
        fetch_sessions.install(self._kafka())
        waiting.install(self._kafka(), self._rest)

    async def _read(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set():
                await wait(self._handover.arrived, LOOK_SECONDS)
                if not stopping.is_set():
                    await self._turn(stopping)
        finally:
            self._handover.close()
            await self._commit()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget what is no longer ours; a transaction in hand is fenced if another owner is quicker."""
        places = {self._place(each) for each in revoked}
        self._assigned -= places
        self._new -= places
        self._consumer.forget(places)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Let the loop adopt them before it settles anything of them."""
        self._assigned = {self._place(each) for each in assigned}
        self._consumer.forget(self._assigned)
        self._new = set(self._assigned)
        self._handover.arrived.set()

    async def _receive(self, message: Any) -> None:  # noqa: ANN401 - FastStream gives the decoded poll
        await self._handover.give(message)

    async def _turn(self, stopping: asyncio.Event) -> None:
        """Adopt what is new, settle what has been handed over."""
        poll = self._handover.take()
        slices = sliced(poll, self._prefix)
        if slices:
            crash_point("after_consume")
        try:
            if self._new:
                await self._adopt()
            if slices:
                await self._settle(slices)
            self._pause = PAUSE_SECONDS_FIRST
        except FencedError:
            metrics.FENCED.inc(len(slices))
            self._doubt(slices)
        except (*PASSING, OSError) as problem:
            self._log.warning("poll_failed", problem=str(problem) or type(problem).__name__, again_seconds=self._pause)
            self._doubt(slices)
            await wait(stopping, self._pause)
            self._pause = min(self._pause * 2, PAUSE_SECONDS_MAX)
        finally:
            self._handover.done()
        await self._commit_lazily()

    async def _adopt(self) -> None:
        asked = set(self._new)
        beginnings, silent = await self._meet(asked)
        marks = await self._consumer.adopt((asked - silent) & self._new, beginnings)
        with suppress(TransientError):  # one leader that is away says nothing of its log, and all others can be read
            await self._miss(marks)
        self._new -= self._consumer.marks.keys()  # what was taken away and given back meanwhile is still new
        self._seek(marks.items())

    async def _meet(self, new: set[Partition]) -> tuple[Mapping[Partition, int], set[Partition]]:
        """Return where the logs begin of every topic that the group has never read.

        And which of its partitions must wait for that, since their leader does not answer: without it nobody could
        tell later what was deleted unread from what was gone before.
        """
        topics = await self._consumer.unmet({topic for topic, _ in new})
        places = {place for place in new if place[0] in topics}
        for topic in topics:
            places |= {(topic, part) for part in self._kafka().partitions_for_topic(self._prefix + topic) or ()}
        try:
            return await self._beginnings(places), set()
        except TransientError:
            return {}, places

    async def _miss(self, marks: Mapping[Partition, int]) -> None:
        """Notice what was deleted behind these marks: the client would go on at the beginning of the log in silence."""
        if marks:
            await self._consumer.miss(marks, await self._beginnings(marks))

    async def _beginnings(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        """Return where these logs begin now; ``TransientError`` when a leader does not say it in time."""
        there = {place: TopicPartition(self._prefix + place[0], place[1]) for place in places}
        if not there:
            return {}
        try:
            async with asyncio.timeout(BEGINNINGS_SECONDS):
                found = await self._kafka().beginning_offsets(list(there.values()))
        except (KafkaError, TimeoutError) as problem:
            raise TransientError(type(problem).__name__) from problem
        return {place: found[part] for place, part in there.items()}

    async def _settle(self, slices: Sequence[Slice]) -> None:
        began = asyncio.get_running_loop().time()
        holes = self._consumer.holes(slices)
        if holes:
            await self._miss(holes)
        settled = await self._consumer.settle(slices)
        self._seek(settled.seek.items())
        tally = settled.tally
        if tally.records:
            self._log.info(
                "batch",
                records=tally.records,
                done=tally.done,
                duplicate=tally.duplicate,
                skipped=tally.skipped,
                retry=tally.retry,
                dead=tally.dead,
                said=tally.said,
                milliseconds=round((asyncio.get_running_loop().time() - began) * 1000, 1),
            )

    def _doubt(self, slices: Sequence[Slice]) -> None:
        """Nobody knows what was committed: read the marks again before going on."""
        places = {each.place for each in slices}
        self._consumer.forget(places)
        self._new |= places & self._assigned
        self._handover.arrived.set()

    def _seek(self, marks: Iterable[tuple[Partition, int]]) -> None:
        consumer = self._kafka()
        for (topic, partition), offset in marks:
            with suppress(IllegalStateError):
                consumer.seek(TopicPartition(self._prefix + topic, partition), offset)

    async def _commit_lazily(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._commit_at:
            self._commit_at = now + COMMIT_SECONDS
            self._measure_lag()
            await self._commit()
        if now >= self._miss_at:
            self._miss_at = now + MISSED_SECONDS
            with suppress(*PASSING):
                await self._miss(self._consumer.standing())

    def _measure_lag(self) -> None:
        """Show how far the end of each partition of ours is, as the last fetch saw it."""
        consumer = self._kafka()
        assigned = consumer.assignment()
        metrics.CONSUMER_LAG.clear()
        for (topic, partition), mark in self._consumer.marks.items():
            place = TopicPartition(self._prefix + topic, partition)
            end = consumer.highwater(place) if place in assigned else None
            metrics.CONSUMER_LAG.labels(topic, partition).set(max((end or mark) - mark, 0))

    async def _commit(self) -> None:
        """Tell Kafka where we are; if it does not listen, nothing is lost."""
        marks = {place: mark for place, mark in self._consumer.marks.items() if place in self._assigned and mark}
        if marks == self._committed or not marks:
            return
        wanted = {TopicPartition(self._prefix + topic, partition): mark for (topic, partition), mark in marks.items()}
        crash_point("before_offset_commit")
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._kafka().commit(wanted)
            self._committed = marks

    def _kafka(self) -> "AIOKafkaConsumer":
        consumer = self._subscriber.consumer
        if consumer is None:
            raise AssertionError("the subscription is not running")
        return consumer

    def _place(self, each: TopicPartition) -> Partition:
        return each.topic.removeprefix(self._prefix), each.partition
