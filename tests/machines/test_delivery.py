"""Has each event one effect and is it said in order, wherever processes die between record and topic (I1, I2, I5, I8)?

Two consumers that may both own the partition, two relays, PostgreSQL; the log and the topic are lists. Every crash
point of the journey is a step: in the handler, before the commit, after it, before the send, after the ack.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.channel import ConversationEnded
from contracts.desk import ReachMilestone
from contracts.router import CaseProgressed
from services.runtime.consumer import Consumer
from services.runtime.database import Pool
from services.runtime.failures import PostgresAwayError
from services.runtime.frames import Frame, unpack
from services.runtime.holding import Holding
from services.runtime.leases import Leases
from services.runtime.offsets import FencedError
from services.runtime.outbox import bucket_of
from services.runtime.partitioning import Place
from services.runtime.records import Partition, Record, Slice
from services.runtime.relay import FORGET, Relay
from services.runtime.work import Outgoing, Work
from tests.machines.postgres import cut, play, running, tiny
from tests.support.floor import CASES, a_relay, milestone, settings_for
from tests.support.relays import Refusing
from tests.support.tiny import Notes, a_consumer, ended, marks, number_of, progressed, record_of

CHAT, JOURNAL = ("channel.chat", 0), ("case.events", 0)
KEYS = 3
ABOUT = sorted(CASES, key=lambda case: bucket_of(str(case).encode()))[:KEYS]
"""Cases of which two at least share a bucket, so that they are spoken of in one row."""
WORKER = st.integers(0, 1)
LAPSE = """
WITH gone AS (UPDATE relays SET seen_until = clock_timestamp() - interval '1 s' WHERE owner = $1)
UPDATE outbox_leases SET lease_until = clock_timestamp() - interval '1 s' WHERE owner = $1
"""
LONG_SECONDS = 3600.0
SETTINGS = settings_for("postgresql://nobody@localhost/nothing", "localhost:9092")


@dataclass(slots=True)
class Handler:
    """Writes an effect and says a message for each event; killed in the middle when a step wants it."""

    pool: Pool
    notes: Notes = field(default_factory=Notes)
    killed: bool = False

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        await self.notes(work)
        if self.killed:
            await cut(self.pool, work.connection)
        numbers = [number_of(received.message) for received in work.received]
        return [milestone(ABOUT[number % KEYS], number) for number in numbers]


def place_of(frame: Frame) -> Place:
    """Let each case have a partition of its own."""
    return frame.topic, ABOUT.index(UUID(frame.key.decode()))


def numbers_in(frames: Sequence[Frame]) -> list[int]:
    return [int(ReachMilestone.read(frame.value).details["number"]) for frame in frames]


class Journey(RuleBasedStateMachine):
    """A chat that an outsider repeats, a journal that no inbox guards, and what becomes of them."""

    run: Callable[[Awaitable[Any]], Any]
    pool: Pool

    def __init__(self) -> None:
        super().__init__()
        self.handler = Handler(self.pool)
        self.consumers = [a_consumer(self.pool, self.handler) for _ in range(2)]
        self.relays = [self.a_relay("one", rows_max=1), self.a_relay("two", rows_max=2)]
        self.hands: list[dict[int, list[Frame]]] = [{}, {}]
        self.sent = [0, 0]
        self.refusing: list[set[Place]] = [set(), set()]
        self.left: list[dict[int, list[tuple[Place, Frame]]]] = [{}, {}]
        self.owned: list[frozenset[int]] = [frozenset(), frozenset()]
        self.number = 0
        self.logs: dict[Partition, list[Record]] = {CHAT: [], JOURNAL: []}
        self.marks = {CHAT: 0, JOURNAL: 0}
        self.effects: list[int] = []
        self.topic: list[int] = []
        self.faults = 0
        self.run(self.pool.execute("TRUNCATE koff, inbox, outbox, outbox_leases, relays, parked, effects"))
        self.run(self.prepared())

    async def prepared(self) -> None:
        async with self.pool.acquire() as connection:
            await self.relays[0].leases.prepare(connection)
        for worker in range(2):
            await self.renewed(worker)

    def a_relay(self, name: str, rows_max: int) -> Relay:
        relay = a_relay(self.pool, Refusing(), SETTINGS, name=name)
        relay.leases, relay.rows_max = Leases(name, 3600.0), rows_max
        return relay

    @rule(place=st.sampled_from([CHAT, JOURNAL]), count=st.integers(1, 3))
    def something_happens(self, place: Partition, count: int) -> None:
        for _ in range(count):
            self.number += 1
            key = self.number % KEYS
            message = ended(f"chat-{key}", self.number) if place == CHAT else progressed(ABOUT[key], self.number)
            self.logs[place].append(record_of(message, len(self.logs[place])))

    @precondition(lambda self: self.logs[CHAT])
    @rule(data=st.data())
    def an_outsider_repeats_itself(self, data: st.DataObject) -> None:
        again = data.draw(st.sampled_from(self.logs[CHAT]))
        offset = len(self.logs[CHAT])
        self.logs[CHAT].append(Record(*CHAT, offset, again.timestamp_ms, again.key, again.value, again.headers))

    @rule(worker=WORKER, places=st.sampled_from([(CHAT,), (JOURNAL,), (CHAT, JOURNAL)]), count=st.integers(1, 4))
    def a_consumer_polls(self, worker: int, places: tuple[Partition, ...], count: int) -> None:
        consumer = self.consumers[worker]
        if not consumer.marks:
            assert self.run(consumer.adopt(self.logs)) == self.marks
        slices = [
            Slice(*place, self.logs[place][consumer.marks[place] :][:count])
            for place in places
            if len(self.logs[place]) > consumer.marks[place]
        ]
        if slices:
            self.settled(consumer, slices)

    def settled(self, consumer: Consumer, slices: Sequence[Slice]) -> None:
        overtaken = any(each.first != self.marks[each.place] for each in slices)
        try:
            self.run(consumer.settle(slices))
        except FencedError:
            assert overtaken, "fenced although nobody was ahead"
            consumer.forget(self.logs)
            return
        except PostgresAwayError:
            assert self.handler.killed
            return
        assert not overtaken, "another was ahead and nobody noticed"
        for each in slices:
            self.marks[each.place] = each.next_offset
            for number in map(number_of_record, each.records):
                if number not in self.effects:
                    self.effects.append(number)

    @rule(worker=WORKER, committed=st.booleans(), count=st.integers(1, 4))
    def a_consumer_is_killed(self, worker: int, committed: bool, count: int) -> None:
        """Before its commit, or after it: then it never learns that it was done."""
        self.handler.killed = not committed
        self.a_consumer_polls(worker, (CHAT, JOURNAL), count)
        self.handler.killed = False
        self.consumers[worker] = a_consumer(self.pool, self.handler)

    @rule(worker=WORKER)
    def a_relay_renews_its_leases(self, worker: int) -> None:
        self.run(self.renewed(worker))

    async def renewed(self, worker: int) -> None:
        async with self.pool.acquire() as connection:
            self.owned[worker] = await self.relays[worker].leases.renew(connection)
        assert not self.owned[0] & self.owned[1], "two relays own one bucket"

    @rule(worker=WORKER, rows=st.integers(0, 2), retires=st.booleans(), refuses=st.none() | st.integers(0, KEYS - 1))
    def a_relay_works(self, worker: int, rows: int, retires: bool, refuses: int | None) -> None:
        """It reads unless it has something in hand, sends as much as is not refused, and forgets what has arrived.

        A partition that refuses takes nothing more of what is in hand; then it is left alone.
        """
        if not self.hands[worker]:
            self.hands[worker], self.sent[worker] = self.run(self.taken(worker)), 0
            self.refusing[worker], self.left[worker] = set(), {}
            assert self.owned[worker] or not self.hands[worker], "read without a lease"
        if refuses is not None:
            self.refusing[worker].add(("case.commands", refuses))
        done = self.sent[worker]
        for row, frames in list(self.hands[worker].items())[done : done + rows]:
            self.topic += numbers_in([frame for frame in frames if not self.withheld(worker, place_of(frame))])
            rest = [(place_of(frame), frame) for frame in frames if self.withheld(worker, place_of(frame))]
            self.left[worker] |= {row: rest} if rest else {}
        self.sent[worker] = min(done + rows, len(self.hands[worker]))
        if retires:
            self.run(self.retired(worker))
            self.hands[worker] = {}

    def withheld(self, worker: int, place: Place) -> bool:
        return place in self.refusing[worker] or place in self.relays[worker]._held

    async def retired(self, worker: int) -> None:
        relay, left = self.relays[worker], self.left[worker]
        arrived = [row for row in list(self.hands[worker])[: self.sent[worker]] if row not in left]
        async with self.pool.acquire() as connection:
            await connection.execute(FORGET, arrived)
            await relay._set_aside(connection, left)
        relay.holding.tried(self.refusing[worker], relay._held, asyncio.get_running_loop().time() + LONG_SECONDS)

    @rule(worker=WORKER)
    def a_pause_is_over(self, worker: int) -> None:
        """What refused may take something again."""
        self.relays[worker].holding = Holding()

    async def taken(self, worker: int) -> dict[int, list[Frame]]:
        async with self.pool.acquire() as connection:
            return await self.relays[worker].take(connection, ())

    @rule(worker=WORKER, killed=st.booleans())
    def a_lease_runs_out(self, worker: int, killed: bool) -> None:
        """Its relay was killed, or paused: then it goes on with what it has in hand."""
        self.run(self.pool.execute(LAPSE, self.relays[worker].leases.owner))
        self.owned[worker] = frozenset()
        self.faults += bool(self.hands[worker])
        if killed:
            self.hands[worker] = {}
            self.a_pause_is_over(worker)

    def waiting(self) -> list[int]:
        rows = self.run(self.pool.fetch("SELECT frames FROM outbox ORDER BY id"))
        return [number for row in rows for number in numbers_in(list(unpack(row["frames"])))]

    @invariant()
    def the_tables_hold_what_was_committed(self) -> None:
        stored = self.run(self.pool.fetch("SELECT number FROM effects ORDER BY place"))
        assert [row["number"] for row in stored] == self.effects
        assert self.marks | self.run(marks(self.pool)) == self.marks

    @invariant()
    def every_effect_is_said_in_order_or_waits(self) -> None:
        assert set(self.effects) == set(self.topic) | set(self.waiting())
        for key in range(KEYS):
            done = [number for number in self.effects if number % KEYS == key]
            said = list(dict.fromkeys(number for number in self.topic if number % KEYS == key))
            assert said == done[: len(said)]

    @invariant()
    def nothing_is_said_twice_unless_something_failed(self) -> None:
        assert self.faults or len(set(self.topic)) == len(self.topic)

    def teardown(self) -> None:
        """Everything heals: one consumer and one relay finish what is left."""
        for worker in range(2):
            self.a_lease_runs_out(worker, killed=True)
        self.consumers[0] = a_consumer(self.pool, self.handler)
        self.a_consumer_polls(0, (CHAT, JOURNAL), len(self.logs[CHAT]) + len(self.logs[JOURNAL]))
        self.a_relay_renews_its_leases(0)
        while self.waiting():
            self.a_relay_works(0, 2, retires=True, refuses=None)
        assert self.effects == list(dict.fromkeys(self.effects))
        assert set(self.topic) == set(range(1, self.number + 1))


def number_of_record(record: Record) -> int:
    """Return the number that the record's message carries."""
    kind = ConversationEnded if record.topic == CHAT[0] else CaseProgressed
    return number_of(kind.read(record.value or b""))


def test_every_event_has_one_effect_and_is_said_in_order(postgres_dsn: str) -> None:
    with running(tiny(postgres_dsn)) as (runner, pool):
        play(Journey, runner, pool=pool)
