"""Is nothing fetched during a turn and its rest, and how long is a rest?"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.runtime import waiting
from tests.simulation.bus import Fetcher
from tests.simulation.loop import VirtualLoop, run_virtually


@pytest.mark.parametrize(
    ("took", "rest", "seconds"),
    [(0.01, 0.0, 0.0), (0.01, 4.0, 0.04), (0.02, 4.0, 0.08), (0.04, 4.0, 0.06), (0.1, 4.0, 0.0), (3.0, 4.0, 0.0)],
)
def test_a_turn_and_its_rest_end_within_a_tenth_of_a_second_unless_the_turn_was_longer(
    took: float, rest: float, seconds: float
) -> None:
    assert waiting.rest_seconds(took, rest) == pytest.approx(seconds)


@dataclass(slots=True)
class Polled:
    """A client that has something at every other poll, and notes when it was polled and whether it fetched then."""

    _fetcher: Fetcher = field(default_factory=Fetcher)
    polls: list[tuple[float, bool]] = field(default_factory=list)
    getmany: Any = None

    async def poll(self) -> dict[str, list[str]]:
        self.polls.append((round(asyncio.get_running_loop().time(), 3), self.fetches()))
        return {"place": ["record"]} if len(self.polls) % 2 == 0 else {}

    def fetches(self) -> bool:
        return bool(self._fetcher._get_actions_per_node(None)[0])


async def polled(rest: float, turns: list[float]) -> list[tuple[float, bool]]:
    client = Polled()
    client.getmany = client.poll
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    waiting.install(client, rest)
    for took in turns:
        assert await client.getmany() == {"place": ["record"]}
        assert not client.fetches()
        loop.jump(loop.time() + took)
    return client.polls[::2]


def test_it_fetches_while_it_is_polled_and_not_while_a_turn_lasts() -> None:
    assert run_virtually(polled(0.0, [1.0, 2.0, 0.5]), random.Random(1)) == [(0.0, True), (1.0, True), (3.0, True)]


def test_a_turn_is_followed_by_its_rest() -> None:
    assert run_virtually(polled(3.0, [0.01, 0.02, 0.5]), random.Random(1)) == [(0.0, True), (0.04, True), (0.12, True)]
