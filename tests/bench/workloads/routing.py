"""W9: how fast do waiting cases come to agents while agents come and go, and does anybody get too much?

The router as a process, with everything that it does in production, told through Kafka and watched through Kafka: an
offer counts when it stands on ``case.events``, which is after it was stored. First all who are to be there come at once
and are filled (the rate). All the while, fifty times a second one comes or goes (the latency, once the rest are full).
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.channel import AgentPresenceChanged, AgentProfileSet, Capacity
from contracts.intake import ContactReceived, ProposedDemand
from contracts.message import Message, derived_id
from contracts.policy import Policy, load_policy
from contracts.values import Cause, Classification, Contact, Customer, Demand, Party, Presence, Severity
from services.runtime import kafka
from services.runtime.frames import Frame
from services.runtime.outbox import framed
from services.runtime.settings import STANDARD_POLICY
from services.runtime.tracing import UNTRACED
from services.runtime.work import Outgoing
from tests.bench.alone import Alone, alone
from tests.bench.processor import each, used
from tests.bench.workload import Ground, Measured, NoResultError, percentile
from tests.support.driver import DEPARTMENTS

AGENTS = 1_000
PLACES = 10
"""Of each agent."""
QUEUED = 10_000
"""Cases that still wait when every place is taken."""
SKILLS = tuple(f"skill_{number:02}" for number in range(20))
SEVERITIES: tuple[Severity, ...] = ("normal", "normal", "important", "urgent")
CHANGES_PER_SECOND = 50
AWAY = 100
"""Agents who are away at a time, from the beginning: the places that are to be filled stay as many throughout."""
THERE = (AGENTS - AWAY) * PLACES
"""Places of those who are there."""
FILLED_SHARE = 0.98
"""Of the places: the last few wait for a case that asks for just their skills."""
FILLED_SECONDS = 30.0
"""A router that is too slow for those who come and go never fills all places: then the rate is that of this time."""
LOADED_SECONDS = 120.0
QUIET_SECONDS = 1.0
OVER = """
-- routing.over: agents with more than their profile allows, or with another load than their cases make
WITH held AS (
    SELECT holder, channel, sum(units) AS units FROM cases WHERE holder IS NOT NULL GROUP BY 1, 2
), loads AS (
    SELECT agent_id, channel, units, convert_from(profile, 'UTF8')::jsonb -> 'capacity' AS capacity
    FROM agents CROSS JOIN LATERAL (
        VALUES ('phone', phone), ('chat', chat), ('email', email), ('social', social), ('sms', sms)
    ) AS each (channel, units)
)
SELECT
    (SELECT count(*) FROM loads WHERE units > (capacity ->> channel)::integer)
    + (SELECT count(*) FROM (
        SELECT FROM loads GROUP BY agent_id, capacity HAVING sum(units) > (capacity ->> 'total')::integer
    ) AS above) AS over_capacity,
    (SELECT count(*) FROM loads FULL JOIN held ON holder = agent_id AND held.channel = loads.channel
        WHERE coalesce(loads.units, 0) <> coalesce(held.units, 0)) AS unequal
"""


async def run(ground: Ground) -> Measured:
    """Measure as often as is wanted."""
    measured = Measured()
    for _ in range(ground.runs):
        async with alone(ground, "router") as router:
            await _measure(router, ground.size(20, 8), measured)
    measured.details |= {
        "agents": AGENTS, "places": THERE, "queued": QUEUED, "skills": len(SKILLS),
        "presence_changes_per_second": CHANGES_PER_SECOND,
    }  # fmt: skip
    return measured


async def _measure(router: Alone, seconds: float, measured: Measured) -> None:
    floor = _Floor(router)
    await _load(router, floor)
    async with _watched(router) as journal:
        names = {router.process.process.pid: "router"}
        began, before = time.time(), used(names)
        await router.tell(floor.opening())
        async with asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            group.create_task(floor.flap(stop))
            filled = await journal.until_filled(THERE * FILLED_SHARE)
            flood, journal.offers = journal.offers, []
            measured.put("W9_cpu_ms_per_decision", **each(before, used(names), len(flood), 1000))
            await asyncio.sleep(seconds)
            stop.set()
        await asyncio.sleep(QUIET_SECONDS)
    rounds = [offer.seen - offer.decided for offer in flood]
    # Who came earlier stood in line with all the others, and may still wait for a case that asks for just these skills.
    later = [offer for offer in journal.offers if floor.came[offer.agent_id] > filled]
    places = [offer.seen - max(floor.came[offer.agent_id], offer.queued) for offer in later]
    measured.add("W9_decisions_per_second", len(flood) / (filled - began))
    measured.add("W9_filling_p99_ms", percentile(rounds, 0.99) * 1000)
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        measured.add(f"W9_offer_{name}_ms", percentile(places, share) * 1000)
    measured.add("W9_steady_offers_per_second", len(journal.offers) / seconds)
    measured.add("W9_over_capacity", await _checked(router))


async def _load(router: Alone, floor: "_Floor") -> None:
    """Let the agents have their profiles and the cases stand in their queues."""
    cases = QUEUED + AGENTS * PLACES
    await router.tell(floor.profiles())
    await router.tell(floor.contacts(cases))
    await router.until_stored("SELECT count(*) FROM agents", AGENTS, LOADED_SECONDS)
    await router.until_stored("SELECT count(*) FROM cases WHERE queue IS NOT NULL", cases, LOADED_SECONDS)
    await router.until_stored("SELECT count(*) FROM snapshots_due", 0, LOADED_SECONDS)


async def _checked(router: Alone) -> int:
    """Return how many agents have too much, by the tables; loads that no case explains make the run worthless."""
    over, unequal = await router.pool.fetchrow(OVER) or (0, 1)
    if unequal:
        raise NoResultError(f"{unequal} loads differ from what the cases take")
    return int(over)


@dataclass(frozen=True, slots=True)
class _Offer:
    agent_id: str
    queued: float
    """When the case came back to its queue, as far as this run knows."""
    decided: float
    """When its round began."""
    seen: float


@dataclass(slots=True)
class _Journal:
    """Follows ``case.events``."""

    consumer: AIOKafkaConsumer
    offers: list[_Offer] = field(default_factory=list)
    _out: int = 0
    _back: dict[str, float] = field(default_factory=dict)
    _goal: float = float("inf")
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _filled_at: float = 0.0

    async def follow(self) -> None:
        """Read on for ever."""
        while True:
            for records in (await self.consumer.getmany(timeout_ms=100, max_records=5000)).values():
                seen = time.time()
                for record in records:
                    self._take(record, seen)

    def _take(self, record: ConsumerRecord, seen: float) -> None:
        kind = dict(record.headers)["ce_type"]
        if kind not in {b"caseloop.case.offered.v1", b"caseloop.case.offer_ended.v1"}:
            return
        event = orjson.loads(record.value)
        at = datetime.fromisoformat(event["occurred_at"]).timestamp()
        if event["state"] == "queued":
            self._out -= 1
            self._back[event["case_id"]] = seen
            return
        self._out += 1
        self.offers.append(_Offer(event["agent_id"], self._back.get(event["case_id"], 0.0), at, seen))
        if self._out >= self._goal and not self._filled.is_set():
            self._filled_at = seen
            self._filled.set()

    async def until_filled(self, goal: float) -> float:
        """Return when so many offers were out at once, or now, when they never were."""
        self._goal = goal
        with suppress(TimeoutError):
            async with asyncio.timeout(FILLED_SECONDS):
                await self._filled.wait()
        return self._filled_at or time.time()


@asynccontextmanager
async def _watched(router: Alone) -> AsyncIterator[_Journal]:
    settings = router.settings
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), fetch_max_wait_ms=20)
    await consumer.start()
    topic = f"{settings.topic_prefix}case.events"
    parts = [TopicPartition(topic, number) for number in range(settings.topic_partitions or 1)]
    consumer.assign(parts)
    await consumer.seek_to_end(*parts)
    for part in parts:
        await consumer.position(part)
    journal = _Journal(consumer)
    following = asyncio.create_task(journal.follow())
    try:
        yield journal
    finally:
        following.cancel()
        await consumer.stop()


class _Floor:
    """The agents who come and go, and the customers' cases."""

    def __init__(self, router: Alone) -> None:
        self._router = router
        self._random = random.Random(9)
        self._number = count()
        self.agents = [f"agent-{number:04}" for number in range(AGENTS)]
        self._leaving = self._random.sample(self.agents, AGENTS)
        """In which order they go; the last of it are away when the day begins, and come back first."""
        self.came: dict[str, float] = {}
        """When each agent was last said to be available."""

    def profiles(self) -> Iterator[Frame]:
        """Yield a profile for each agent: six of twenty skills, the departments alike."""
        for number, agent in enumerate(self.agents):
            skills = {skill: self._random.randint(2, 5) for skill in self._random.sample(SKILLS, 6)}
            yield self._frame(
                AgentProfileSet(
                    agent_id=agent, number=f"{number:04}", name=agent, role="agent",
                    department=DEPARTMENTS[number % len(DEPARTMENTS)], skills=skills, languages=("en", "zh-CN"),
                    capacity=Capacity(total=PLACES, phone=1, chat=3, email=PLACES, social=3, sms=PLACES),
                )
            )  # fmt: skip

    def contacts(self, number: int) -> Iterator[Frame]:
        """Yield so many customers' e-mails, each a case of its own."""
        for place in range(number):
            yield self._frame(self._contact(place))

    def _contact(self, number: int) -> ContactReceived:
        demand = Demand(
            demand_id=derived_id("bench", "demand", number), position=1,
            text="The app shows error code ERR-500 and a white page after login, it is broken since this morning",
            classification=self._classification(), department=DEPARTMENTS[number % len(DEPARTMENTS)],
            skills={skill: self._random.randint(1, 3) for skill in self._random.sample(SKILLS, 1 + number % 2)},
        )  # fmt: skip
        return ContactReceived(
            contact=Contact(
                contact_id=derived_id("bench", "contact", number), conversation_id=f"email-{number}", channel="email",
                received_at=datetime.now(UTC),
            ),
            customer=Customer(
                customer_id=derived_id("bench", "customer", number), language=self._random.choice(("en", "zh-CN")),
                parties=(Party(kind="email", value=f"customer{number}@example.org"),),
                tier=self._random.choice(("standard", "standard", "silver", "gold")),
            ),
            occurred_at=datetime.now(UTC), policy=_policy().ref, author="customer", text=demand.text,
            cause=Cause(id=f"bench-{number}", type="caseloop.channel.message_received.v1"),
            demands=(ProposedDemand(demand=demand, case_id=derived_id("bench", "case", number), relation="opens"),),
        )  # fmt: skip

    def _classification(self) -> Classification:
        severity = self._random.choice(SEVERITIES)
        return Classification(
            scenario="problem", category="product_fault", severity=severity, importance="routine",
            quadrant="urgent" if severity == "urgent" else "routine", emotion="calm", safety=False,
        )  # fmt: skip

    def opening(self) -> Iterator[Frame]:
        """Yield that everybody is there but those who are away at the time."""
        for agent in self._leaving[:-AWAY]:
            yield self._presence(agent, "available")

    async def flap(self, stop: asyncio.Event) -> None:
        """Let agents go and come back until told to stop, at an even pace."""
        began = time.monotonic()
        for number in count():
            with_whom = self._leaving[(number // 2 - AWAY * (number % 2)) % AGENTS]
            await self._router.tell([self._presence(with_whom, "available" if number % 2 else "away")])
            try:
                async with asyncio.timeout(max(0.0, began + number / CHANGES_PER_SECOND - time.monotonic())):
                    await stop.wait()
            except TimeoutError:
                continue
            return

    def _presence(self, agent: str, presence: Presence) -> Frame:
        if presence == "available":
            self.came[agent] = time.time()
        return self._frame(AgentPresenceChanged(agent_id=agent, presence=presence))

    def _frame(self, message: Message) -> Frame:
        said = Outgoing(message, derived_id("bench", next(self._number)))
        return framed("tests/bench", said, datetime.now(UTC), UNTRACED)


@cache
def _policy() -> Policy:
    return load_policy(STANDARD_POLICY)
