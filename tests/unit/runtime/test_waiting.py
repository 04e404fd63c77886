"""Is nothing fetched during a turn and its rest, and how long is a rest?"""

import asyncio
import random
from dataclasses import dataclass, field
from types import SimpleNamespace
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
def test_a_rest_is_a_multiple_of_its_turn_and_has_a_bound_whatever_the_turn_took(
    took: float, turns: float, seconds: float
) -> None:
    assert Rest(turns=turns).seconds(took) == pytest.approx(seconds)


@dataclass(slots=True)
class State:
    """Where reading stands in a partition, and where the last fetch saw its end."""

    position: int = 7
    highwater: int | None = 7
    has_valid_position: bool = True


class Assignment(dict[str, State]):
    """What is a member's, as aiokafka keeps it."""

    state_value = dict[str, State].__getitem__

    @property
    def tps(self) -> frozenset[str]:
        return frozenset(self)


class Noting(Fetcher):
    """One that notes when it is told to fetch."""

    def __init__(self, assignment: Assignment | None) -> None:
        self.told: list[float] = []
        self._subscriptions = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))

    def _notify(self, _future: None) -> None:
        self.told.append(round(asyncio.get_running_loop().time(), 3))


@dataclass(slots=True)
class Client:
    """A client that has something at every other poll, and notes when it was polled and whether it fetched then."""

    _fetcher: Noting
    polls: list[tuple[float, bool]] = field(default_factory=list)
    getmany: Any = None

    async def poll(self) -> dict[str, list[str]]:
        self.polls.append((round(asyncio.get_running_loop().time(), 3), self.fetches()))
        return {"place": ["record"]} if len(self.polls) % 2 == 0 else {}

    def fetches(self) -> bool:
        return bool(self._fetcher._get_actions_per_node(None)[0])

    def told(self) -> list[float]:
        return self._fetcher.told


async def turned(client: Client, times: float, took: list[float]) -> Client:
    """Let a client be polled for turns of so many seconds, each followed by a rest so many times as long."""
    client.getmany = client.poll
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    waiting.install(client, Rest(turns=times, seconds_max=1.0))
    for seconds in took:
        assert await client.getmany() == {"place": ["record"]}
        assert not client.fetches()
        loop.jump(loop.time() + seconds)
    return client


def virtually(times: float, took: list[float], assignment: Assignment | None = None, kept: str = "") -> Client:
    fetcher = Noting(assignment)
    fetcher._records = dict.fromkeys(kept, None)
    return run_virtually(turned(Client(fetcher), times, took), random.Random(1))


def test_it_fetches_while_it_is_polled_and_not_while_a_turn_lasts() -> None:
    assert virtually(0.0, [1.0, 2.0, 0.5]).polls[::2] == [(0.0, True), (1.0, True), (3.0, True)]


def test_a_turn_is_followed_by_its_rest_and_every_broker_has_time_to_answer_at_its_end() -> None:
    client = virtually(3.0, [0.01, 0.02, 0.5])
    assert client.polls[::2] == [(0.0, True), (0.04, True), (0.12, True)]
    assert client.told() == [0.0, 0.035, 0.115]


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        ({"place": State(), "left out": State(position=3, highwater=4)}, ""),
        ({"place": State(), "new": State(has_valid_position=False, highwater=None)}, "k"),
    ],
)
def test_it_does_not_rest_while_more_is_waiting_than_it_was_given(states: dict[str, State], kept: str) -> None:
    """Whatever the poll brought: another partition may have been left out of a full fetch, or be fetched and kept."""
    client = virtually(3.0, [0.01, 0.02, 0.5], Assignment(states), kept)
    assert client.polls[::2] == [(0.0, True), (0.01, True), (0.03, True)]


@pytest.mark.parametrize(
    "states",
    [
        {"place": State()},
        {"new": State(position=3, has_valid_position=False)},
        {"silent": State(position=0, highwater=None)},
    ],
)
def test_it_rests_where_nothing_is_known_to_wait(states: dict[str, State]) -> None:
    assert virtually(3.0, [0.01, 0.02, 0.5], Assignment(states)).polls[::2] == [(0.0, True), (0.04, True), (0.12, True)]
