"""How does a driver push cases through the closed loop, reacting only to what stands on ``case.events``?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from tests.support.history.model import Sent

SOURCE = "tests/driver"
BROKEN = "The app shows error code ERR-500 and a white page after login, it is broken since this morning"
QUIET_SECONDS = 0.6
"""Longer than the longest silence within a case: a service's rest, its turn, the router's."""
DEPARTMENTS = ("front_desk", "technical_support", "operations", "after_sales_desk", "complaint_desk")
"""Where the standard lets people work."""
CAPACITY = 1000
"""How many cases one agent of a driver holds: the most that a profile may say."""
RECEIVED = "caseloop.channel.message_received.v1"
PATIENCE_MILLISECONDS = 900_000
"""What cannot be sent waits for so long here and is tried again and again, as a gateway would: Kafka may be away."""
_BY = {"kind": "agent", "id": "bench-agent"}


@dataclass(slots=True)
class Journey:
    """One case's moments, in seconds of the monotonic clock."""

    sent: float = 0.0
    assigned: float = 0.0
    closed: float = 0.0


@dataclass(frozen=True, slots=True)
class Saying:
    """Something that was sent, and the broker's word on it."""

    topic: str
    key: str
    id: str
    kind: str
    ack: "asyncio.Future[object]"


@dataclass(slots=True)
class Driver:
    """Sends contacts and, for every case it sees move, the next command: W4."""

    bootstrap: str
    run: str
    journeys: dict[str, Journey] = field(default_factory=dict)
    """By conversation id."""
    closing: bool = True
    """Go on to resolve and confirm; else a case ends when its milestone was told."""
    told: dict[str, int] = field(default_factory=dict)
    """How often each case's milestone was told, by case id."""
    of_case: dict[str, str] = field(default_factory=dict)
    closed: int = 0
    said: "list[Saying] | None" = None
    """Everything that was sent, when somebody wants to know afterwards whether it arrived."""
    prefix: str = ""
    """Of the topics."""
    heard: "Callable[[str, str, bytes], Awaitable[None]] | None" = None
    """Told kind, case and value of every event of the driver's own cases."""
    _heard: float = 0.0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _producer: AIOKafkaProducer = None
    _consumer: AIOKafkaConsumer = None
    _following: "asyncio.Task[None] | None" = None
    _number: "count[int]" = field(default_factory=count)

    async def start(self) -> None:
        """Connect, and follow the journal from its end."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            max_request_size=2_000_000,
            request_timeout_ms=PATIENCE_MILLISECONDS,
        )
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, fetch_max_wait_ms=100)
        await self._consumer.start()
        journal = f"{self.prefix}case.events"
        partitions = self._consumer.partitions_for_topic(journal) or await self._partitions(journal)
        parts = [TopicPartition(journal, partition) for partition in partitions]
        self._consumer.assign(parts)
        await self._consumer.seek_to_end(*parts)
        for part in parts:
            await self._consumer.position(part)
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Disconnect."""
        if self._following is not None:
            self._following.cancel()
        await self._consumer.stop()
        await self._producer.stop()

    async def _partitions(self, topic: str) -> Iterable[int]:
        await self._consumer._client.force_metadata_update()
        return self._consumer.partitions_for_topic(topic) or (0,)

    def own_cases(self) -> list[str]:
        """Return the cases that its own contacts became."""
        return [case_id for case_id, conversation in self.of_case.items() if conversation in self.journeys]

    async def until_closed(self, goal: int, seconds: float) -> None:
        """Return when so many cases have been closed in all; ``TimeoutError`` when they never are."""
        await self._until(lambda: self.closed >= goal, seconds)

    async def until_told(self, goal: int, seconds: float) -> None:
        """Return when the customers of so many cases have been told of their milestone."""
        await self._until(lambda: len(self.told) >= goal, seconds)

    async def until_quiet(self, seconds: float) -> None:
        """Return when the journal has been silent for a while: what follows a case's closing is over, too."""
        async with asyncio.timeout(seconds):
            left = QUIET_SECONDS
            while left > 0:
                await asyncio.sleep(left)
                left = QUIET_SECONDS - (time.perf_counter() - self._heard)

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not reached():
                self._moved.clear()
                await self._moved.wait()

    async def agents(self, number: int, departments: Iterable[str]) -> None:
        """Bring agents to work who accept every offer at once."""
        for department in departments:
            for each in range(number):
                agent = f"bench-{department}-{each}"
                capacity = dict.fromkeys(("total", "phone", "chat", "email", "social", "sms"), CAPACITY)
                profile = {
                    "agent_id": agent,
                    "number": f"{each:04}",
                    "name": agent,
                    "role": "agent",
                    "department": department,
                    "skills": {},
                    "languages": ["en", "zh-CN"],
                    "capacity": capacity,
                    "auto_accept": True,
                    "time_zone": "UTC",
                }
                await self.send("agents", agent, "caseloop.agent.profile_set.v1", profile)
                presence = {"agent_id": agent, "presence": "available"}
                await self.send("agents", agent, "caseloop.agent.presence_changed.v1", presence)
        await self._producer.flush()

    async def contact(self, *, copies: int = 1, text: str = BROKEN) -> str:
        """Send one customer's first message, perhaps several times, and return its conversation id."""
        number = next(self._number)
        conversation = f"{self.run}-{number}"
        self.journeys[conversation] = Journey(sent=time.perf_counter())
        await self.say(conversation, self.first(conversation, number) | {"text": text}, copies=copies)
        return conversation

    @staticmethod
    def first(conversation: str, number: int) -> dict[str, object]:
        """Return what the customer with this number says first."""
        return {
            "channel": "chat",
            "conversation_id": conversation,
            "message_id": f"m-{conversation}",
            "author": "customer",
            "from": [{"kind": "phone", "value": f"+86138{number:08}"}],
            "language": "en",
            "text": BROKEN,
        }

    async def say(self, conversation: str, data: Mapping[str, object], *, copies: int = 1) -> None:
        """Send a message on its channel, perhaps several times."""
        for _ in range(copies):
            event_id = f"e-{data['message_id']}"
            await self.send(f"channel.{data['channel']}", conversation, RECEIVED, data, event_id=event_id)

    async def send(self, topic: str, key: str, kind: str, data: Mapping[str, object], *, event_id: str = "") -> None:
        """Put an event on a topic as an outsider would."""
        await self.send_bytes(topic, key, kind, orjson.dumps(data), event_id=event_id)

    async def send_bytes(self, topic: str, key: str, kind: str, value: bytes, *, event_id: str = "") -> None:
        """Put whatever it is on a topic."""
        message_id = event_id or str(uuid4())
        headers = headers_of(message_id, kind, datetime.now(UTC))
        ack = await self._producer.send(self.prefix + topic, value, key.encode(), headers=headers)
        if self.said is not None:
            self.said.append(Saying(topic, key, message_id, kind, ack))

    async def _follow(self) -> None:
        while True:
            polled = await self._consumer.getmany(timeout_ms=100, max_records=2000)
            now = time.perf_counter()
            self._heard = now if polled else self._heard
            for records in polled.values():
                for record in records:
                    await self._react(record, now)

    async def _react(self, record: ConsumerRecord, now: float) -> None:
        kind = next(value for name, value in record.headers if name == "ce_type").decode().split(".")[2]
        case_id = record.key.decode()
        if kind == "opened":
            self.of_case[case_id] = orjson.loads(record.value)["contact"]["conversation_id"]
        journey = self.journeys.get(self.of_case.get(case_id, ""))
        if journey is None:
            return
        if self.heard is not None:
            await self.heard(kind, case_id, record.value)
        await self._go_on(kind, case_id, record.value, journey, now)

    async def _go_on(self, kind: str, case_id: str, value: bytes, journey: Journey, now: float) -> None:
        match kind:
            case "assigned":
                journey.assigned = now
                await self.command("reach_milestone", case_id, milestone="fix_deployed", details={})
            case "customer_notified" if b'"milestone":"fix_deployed"' in value:
                await self._was_told(case_id)
            case "resolved":
                await self.command("confirm_resolution", case_id, solved=True)
            case "closed":
                journey.closed = now
                self.closed += 1
                self._moved.set()

    async def _was_told(self, case_id: str) -> None:
        self.told[case_id] = self.told.get(case_id, 0) + 1
        self._moved.set()
        if self.closing:
            await self.command("resolve", case_id, resolution="the login service was repaired")

    async def command(self, name: str, case_id: str, **data: object) -> None:
        """Ask for something to be done about a case."""
        await self.send(
            "case.commands", case_id, f"caseloop.command.{name}.v1", {"case_id": case_id, "by": _BY, **data}
        )


def headers_of(message_id: str, kind: str, at: datetime) -> list[tuple[str, bytes]]:
    """Return the headers that an outsider gives an event."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", message_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", kind.encode()),
        ("ce_time", at.isoformat().replace("+00:00", "Z").encode()),
        ("content-type", b"application/json"),
    ]


def sent_by(driver: Driver) -> list[Sent]:
    """Return what was sent and whether the broker promised to keep it."""
    return [
        Sent(each.topic, each.key, each.id, each.kind, acked=each.ack.done() and each.ack.exception() is None)
        for each in driver.said or ()
    ]
