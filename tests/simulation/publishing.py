"""How do a service's messages reach the simulated topics, and what does the service hear of it?

As with the idempotent producer: what goes to one partition arrives in order, and the first batch that is refused holds
back the rest of its partition. An answer may stay away although everything has arrived, or will arrive later: at the
latest before what the same producer sends to that partition next, and later than that only when its process is dead.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.runtime.frames import Frame
from services.runtime.partitioning import Place, partition_of
from services.runtime.publishing import Published, left_of
from tests.simulation.bus import PARTITIONS, Bus
from tests.simulation.store import Owner

Chain = list[tuple[int, Frame]]


@dataclass(frozen=True, slots=True)
class BusPublisher:
    """The producer of one process."""

    bus: Bus
    owner: Owner
    late: dict[Place, tuple[asyncio.TimerHandle, Chain]] = field(default_factory=dict)
    """What is still on its way to a partition, and when it will be there."""

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        """Send the frames of these rows in their order and say which rows are known to have arrived."""
        self.owner.point()
        world = self.bus.world
        chains: dict[Place, Chain] = {}
        for row, frames in rows.items():
            for frame in frames:
                chains.setdefault(_place(frame), []).append((row, frame))
        known: dict[Place, int] = {}
        order = [place for place in chains if place not in held]
        world.chance.shuffle(order)
        for place in order:
            known[place] = await self._deliver(place, chains[place])
        refused = frozenset(place for place in order if known[place] < len(chains[place]))
        if refused:
            await world.pause(within_seconds)
        self.owner.point()
        left = left_of(rows, known, _place)
        problem = f"no ack of {min(refused)[0]} (drawn)" if refused else None
        return Published([row for row in rows if row not in left], problem, left, refused)

    async def _deliver(self, place: Place, chain: Chain) -> int:
        """Send one partition's batches and return how many of the records are known to have arrived."""
        world, faults = self.bus.world, self.bus.world.faults
        await world.pause(faults.seconds(0.0005, 0.05))
        self.owner.point()
        self._arrive(place)
        whole = len(chain)
        arriving = world.chance.randint(0, whole) if faults.strikes("publish_lost") else whole
        if faults.strikes("publish_late"):
            self.late[place] = world.after(faults.seconds(0.5, 30.0), lambda: self._arrive(place)), chain[:arriving]
            return 0
        self._append(chain[:arriving])
        self.owner.point()
        return 0 if faults.strikes("publish_unanswered") else arriving

    def _arrive(self, place: Place) -> None:
        """Put there what is still on its way."""
        if place in self.late:
            planned, chain = self.late.pop(place)
            planned.cancel()
            self._append(chain)

    def _append(self, chain: Chain) -> None:
        for _, frame in chain:
            self.bus.append(frame.topic, frame.key, frame.value, frame.headers)


def _place(frame: Frame) -> Place:
    return frame.topic, partition_of(frame.key, PARTITIONS)
