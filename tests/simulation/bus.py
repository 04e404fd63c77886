"""How does Kafka behave, as far as a service can tell? In memory: partitions, groups, rebalances, late polls.

A group's member stands where an aiokafka consumer stands in :class:`Subscription`. As with Kafka, a member begins at
the offset that the group has committed, which is behind what PostgreSQL holds; a rebalance may come while a poll is in
hand; a member that the group has given up may not know it yet.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from contracts.topics import TOPICS
from services.runtime.partitioning import partition_of
from services.runtime.subscription import SESSION_MILLISECONDS, Subscription
from tests.simulation.world import World

PARTITIONS = 3
SESSION_SECONDS = SESSION_MILLISECONDS / 1000
ZOMBIE_SECONDS = 300.0
"""So long a member may read on that its group has given up: long enough for people to say something meanwhile."""


@dataclass(slots=True)
class Bus:
    """All topics and groups."""

    world: World
    logs: dict[TopicPartition, list[ConsumerRecord]] = field(init=False)
    groups: dict[str, "Group"] = field(default_factory=dict)
    listeners: list[Callable[[ConsumerRecord], None]] = field(default_factory=list)
    """Told of every record as it is put there: people and exchanges read the public topics."""

    def __post_init__(self) -> None:
        """Make every topic of the contracts."""
        self.logs = {TopicPartition(name, number): [] for name in TOPICS for number in range(PARTITIONS)}

    def append(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        headers: Sequence[tuple[str, bytes]],
        partition: int | None = None,
    ) -> None:
        """Put a record at the end of its key's partition, or of a given one."""
        place = TopicPartition(topic, partition_of(key, PARTITIONS) if partition is None else partition)
        log = self.logs[place]
        moment = int(self.world.now().timestamp() * 1000)
        log.append(
            ConsumerRecord(
                place.topic,
                place.partition,
                len(log),
                moment,
                0,
                key,
                value,
                None,
                len(key),
                len(value),
                tuple(headers),
            )
        )
        self.world.moved()
        for group in self.groups.values():
            group.arrived(place)
        for listener in self.listeners:
            listener(log[-1])

    def records(self, topic: str) -> list[ConsumerRecord]:
        """Return what stands on a topic, partition by partition."""
        return [record for place, log in self.logs.items() if place.topic == topic for record in log]

    def group(self, name: str, topics: Iterable[str]) -> "Group":
        """Return the group of a service."""
        if name not in self.groups:
            places = [place for place in self.logs if place.topic in set(topics)]
            self.groups[name] = Group(self, places)
        return self.groups[name]


@dataclass(eq=False, slots=True)
class Group:
    """Who reads which partitions."""

    bus: Bus
    places: Sequence[TopicPartition]
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    members: "list[Member]" = field(default_factory=list)
    zombies: "list[Member]" = field(default_factory=list)
    """Given up, and reading on."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def arrived(self, place: TopicPartition) -> None:
        """Wake whoever reads this partition."""
        for member in (*self.members, *self.zombies):
            if place in member.positions:
                member.wake.set()

    def join(self, member: "Member") -> None:
        """Take a member in; the group shares its partitions anew."""
        self.members.append(member)
        self._share()

    def leave(self, member: "Member") -> None:
        """Let a member go that says so."""
        member.positions.clear()
        if member in self.members:
            self.members.remove(member)
            self._share()

    def lose(self, member: "Member") -> None:
        """Miss a member that died: the group waits for it as long as a session lasts."""
        self.bus.world.after(SESSION_SECONDS, lambda: self.leave(member))

    def expel(self, member: "Member") -> None:
        """Now and then give a member up that lives and works on, until it hears of it and joins again."""
        if len(self.members) > 1 and member in self.members and self.bus.world.faults.strikes("expelled"):
            self.members.remove(member)
            self.zombies.append(member)
            self._share()
            self.bus.world.after(self.bus.world.faults.seconds(0.1, ZOMBIE_SECONDS), lambda: self._return(member))

    def _return(self, member: "Member") -> None:
        self.zombies.remove(member)
        if member.open:
            self.join(member)

    def rebalance(self) -> None:
        """Share the partitions anew for no reason that a member could see."""
        self._share()

    def _share(self) -> None:
        self.bus.world.spawn(self._assign(), "rebalance")

    async def _assign(self) -> None:
        async with self._turn:
            members = [member for member in self.members if member.open]
            for member in members:
                await member.revoke()
            await self.bus.world.pause(self.bus.world.faults.seconds(0.01, 2.0))
            members = [member for member in self.members if member.open]
            for number, member in enumerate(members):
                await member.assign(self.places[number :: len(members)])


class Fetcher:
    """What a client of aiokafka would do next on its own; a member here fetches when it is polled."""

    _client = None
    _fetcher_timeout = 0.2
    _wait_consume_future = None
    _records: Mapping[TopicPartition, object] = MappingProxyType({})
    """What was fetched and not given yet."""
    _subscriptions = SimpleNamespace(subscription=None)
    """Where reading stands is not told here: a member rests whatever waits."""

    def _notify(self, _future: None) -> None:
        """Wake nobody."""

    def _get_actions_per_node(self, _assignment: object) -> tuple[Any, ...]:
        return ["fetch"], {}, 0.2, False, []


@dataclass(eq=False)
class Member:
    """One consumer of a group, as aiokafka shows it to a subscription."""

    group: Group
    subscription: Subscription
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    open: bool = True
    _fetcher: Fetcher = field(default_factory=Fetcher)

    async def revoke(self) -> None:
        """Take all partitions away."""
        places = list(self.positions)
        self.positions.clear()
        await self.subscription.on_partitions_revoked(places)

    async def assign(self, places: Iterable[TopicPartition]) -> None:
        """Give partitions, to be read from what the group has committed."""
        if self.open and not self.positions:
            self.positions.update((place, self.group.committed.get(place, 0)) for place in places)
            await self.subscription.on_partitions_assigned(list(self.positions))
            self.wake.set()

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Read on from there."""
        if place not in self.positions:
            raise IllegalStateError(f"no assignment of {place}")
        self.positions[place] = offset
        self.wake.set()

    def assignment(self) -> frozenset[TopicPartition]:
        """Return what is this member's."""
        return frozenset(self.positions)

    def highwater(self, place: TopicPartition) -> int:
        """Return the end of a partition."""
        return len(self.group.bus.logs[place])

    def partitions_for_topic(self, topic: str) -> frozenset[int]:
        """Return the numbers of a topic's partitions."""
        return frozenset(place.partition for place in self.group.bus.logs if place.topic == topic)

    async def beginning_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where the partitions begin: here nothing is ever deleted."""
        return dict.fromkeys(places, 0)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the group where this member is."""
        if self.open and self in self.group.members:
            self.group.committed.update(offsets)

    async def getmany(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Return the next records, as soon as there are any; now and then only a few of them."""
        world = self.group.bus.world
        while not (fetched := self._fetched(world.chance.choice((1, 5, 200)))):
            self.wake.clear()
            await self.wake.wait()
        if world.faults.strikes("delivery_late"):
            await world.pause(world.faults.seconds(0.05, 20.0))
        world.moved()
        return fetched

    def _fetched(self, limit: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        fetched: dict[TopicPartition, list[ConsumerRecord]] = {}
        for place, position in self.positions.items():
            records = self.group.bus.logs[place][position : position + limit]
            if records:
                fetched[place] = records
                self.positions[place] = position + len(records)
                limit -= len(records)
        return fetched


class Broker:
    """Stands where FastStream's broker stands: polls, and hands every poll to the subscription."""

    def __init__(self, group: Group, subscription: Subscription) -> None:
        """Prepare; nobody joins before :meth:`start`."""
        self._group = group
        self._subscription = subscription
        self._polling: asyncio.Task[None] | None = None
        self.consumer: Member | None = None

    async def start(self) -> None:
        """Join the group and poll."""
        self.consumer = Member(self._group, self._subscription)
        self._group.join(self.consumer)
        self._polling = self._group.bus.world.spawn(self._poll(self.consumer), "polling")

    async def stop(self) -> None:
        """Leave the group."""
        self._end()
        if self.consumer is not None:
            self._group.leave(self.consumer)

    def die(self) -> None:
        """Poll no more and tell nobody."""
        self._end()
        if self.consumer is not None:
            self._group.lose(self.consumer)

    def _end(self) -> None:
        if self.consumer is not None:
            self.consumer.open = False
        if self._polling is not None:
            self._polling.cancel()

    async def _poll(self, member: Member) -> None:
        world = self._group.bus.world
        while True:
            fetched = await member.getmany()
            await self._subscription._receive(tuple(record for records in fetched.values() for record in records))
            if world.faults.strikes("rebalance"):
                self._group.rebalance()
            self._group.expel(member)


def put_in(subscription: Subscription, bus: Bus, group: str, topics: Iterable[str]) -> Broker:
    """Let a subscription read from this bus instead of Kafka."""
    broker = Broker(bus.group(group, topics), subscription)
    inner: Any = subscription
    inner._broker = inner._subscriber = broker
    inner._measure_lag = lambda: None  # it only counts, and costs more than all else here
    return broker
