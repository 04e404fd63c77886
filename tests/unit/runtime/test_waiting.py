"""Is nothing fetched during a turn and its rest, and how long is a rest?"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.runtime import waiting
from services.runtime.waiting import Rest
from tests.simulation.bus import Fetcher
from tests.simulation.loop import VirtualLoop, run_virtually


@pytest.mark.parametrize(
    ("took", "turns", "seconds"),
    [(0.01, 0.0, 0.0), (0.01, 4.0, 0.04), (0.02, 4.0, 0.08), (0.04, 4.0, 0.1), (3.0, 4.0, 0.1), (3.0, 0.0, 0.0)],
)
def test_a_rest_is_a_multiple_of_its_turn_and_a_tenth_of_a_second_at_most(
    took: float, turns: float, seconds: float
) -> None:
    assert Rest(turns).seconds(took) == pytest.approx(seconds)


@pytest.mark.parametrize(("took", "seconds"), [(0.01, 0.2), (0.1, 0.25), (3.0, 0.25)])
def test_one_for_which_nobody_waits_rests_for_a_quarter_of_a_second_at_most(took: float, seconds: float) -> None:
    assert waiting.UNHURRIED.seconds(took) == pytest.approx(seconds)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The last of the records that a poll has brought."""

    offset: int


class Noting(Fetcher):
    """One that notes when it is told to fetch."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def _notify(self, _future: None) -> None:
        self.told.append(round(asyncio.get_running_loop().time(), 3))


@dataclass(slots=True)
class Client:
    """A client that has something at every other poll, and notes when it was polled and whether it fetched then."""

    end: int
    """Of the partition: each poll brings what lies before offset 7."""
    _fetcher: Noting = field(default_factory=Noting)
    polls: list[tuple[float, bool]] = field(default_factory=list)
    getmany: Any = None

    async def poll(self) -> dict[str, list[Fetched]]:
        self.polls.append((round(asyncio.get_running_loop().time(), 3), self.fetches()))
        return {"place": [Fetched(6)]} if len(self.polls) % 2 == 0 else {}

    def highwater(self, place: str) -> int | None:
        return self.end if place == "place" else None

    def fetches(self) -> bool:
        return bool(self._fetcher._get_actions_per_node(None)[0])

    def told(self) -> list[float]:
        return self._fetcher.told


async def turned(rest: float, turns: list[float], *, end: int = 7) -> Client:
    """Let a client be polled for so many turns of so many seconds."""
    client = Client(end)
    client.getmany = client.poll
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    waiting.install(client, Rest(rest))
    for took in turns:
        assert await client.getmany() == {"place": [Fetched(6)]}
        assert not client.fetches()
        loop.jump(loop.time() + took)
    return client


def virtually(rest: float, turns: list[float], *, end: int = 7) -> Client:
    return run_virtually(turned(rest, turns, end=end), random.Random(1))


def test_it_fetches_while_it_is_polled_and_not_while_a_turn_lasts() -> None:
    assert virtually(0.0, [1.0, 2.0, 0.5]).polls[::2] == [(0.0, True), (1.0, True), (3.0, True)]


def test_a_turn_is_followed_by_its_rest_and_every_broker_has_time_to_answer_at_its_end() -> None:
    client = virtually(3.0, [0.01, 0.02, 0.5])
    assert client.polls[::2] == [(0.0, True), (0.04, True), (0.12, True)]
    assert client.told() == [0.0, 0.035, 0.115]


def test_it_does_not_rest_while_more_is_waiting_than_it_was_given() -> None:
    assert virtually(3.0, [0.01, 0.02, 0.5], end=8).polls[::2] == [(0.0, True), (0.01, True), (0.03, True)]
