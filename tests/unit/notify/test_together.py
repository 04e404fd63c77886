"""Do receipts that come together go together, and is each answered only for what arrived?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from contracts.channel import DeliveryReported
from contracts.message import derived_id
from services.notify.channels.together import Together
from services.runtime.errors import TransientError
from services.runtime.work import Outgoing
from tests.unit.notify.story import NOW


def receipt(number: int) -> Outgoing:
    delivery_id = derived_id("delivery", number)
    return Outgoing(DeliveryReported(delivery_id=delivery_id, status="delivered", at=NOW), delivery_id)


@dataclass(slots=True)
class Brokers:
    """Acknowledge as often as a test says so."""

    publishes: list[int] = field(default_factory=list)
    acks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    refuse: bool = False

    def acknowledge(self, times: int) -> None:
        for _ in range(times):
            self.acks.release()

    async def publish(self, said: Sequence[Outgoing]) -> None:
        self.publishes.append(len(said))
        await self.acks.acquire()
        if self.refuse:
            raise TransientError("no ack")


async def begun(brokers: Brokers, edge: Together, *numbers: int) -> list["asyncio.Task[None]"]:
    """Let these publish, each after the one before has joined."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.ensure_future(edge.publish(receipt(number))))
        await asyncio.sleep(0)
    return tasks


async def ends(tasks: Sequence["asyncio.Task[None]"]) -> list[str]:
    """Return how each ended."""
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(answer).__name__ if isinstance(answer, BaseException) else "arrived" for answer in answers]


async def test_what_comes_during_a_publish_shares_the_next_one() -> None:
    brokers = Brokers()
    tasks = await begun(brokers, Together(brokers.publish), *range(5))
    assert brokers.publishes == [1]
    assert not any(task.done() for task in tasks)
    brokers.acknowledge(9)
    assert await ends(tasks) == ["arrived"] * 5
    assert brokers.publishes == [1, 4]


async def test_nobody_is_told_of_an_arrival_that_nobody_acknowledged() -> None:
    brokers = Brokers(refuse=True)
    edge = Together(brokers.publish)
    tasks = await begun(brokers, edge, 1, 2, 3)
    brokers.acknowledge(9)
    assert await ends(tasks) == ["TransientError"] * 3
    brokers.refuse = False
    assert await ends(await begun(brokers, edge, 4)) == ["arrived"]


@pytest.mark.parametrize(
    ("leaving", "others"),
    [(1, ["TransientError", "TransientError"]), (2, ["arrived", "arrived"]), (3, ["arrived", "arrived"])],
)
async def test_who_shares_a_publish_with_one_who_leaves_is_promised_nothing_that_is_not_true(
    leaving: int,
    others: list[str],
) -> None:
    brokers = Brokers()
    first, *sharing = await begun(brokers, Together(brokers.publish), 0, 1, 2, 3)
    brokers.acknowledge(1)
    await first
    await asyncio.sleep(0)
    assert brokers.publishes == [1, 3]
    sharing[leaving - 1].cancel()
    await asyncio.sleep(0)
    brokers.acknowledge(9)
    answers = await ends(sharing)
    assert answers.pop(leaving - 1) == "CancelledError"
    assert answers == others
