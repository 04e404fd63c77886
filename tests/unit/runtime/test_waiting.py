"""Is nothing fetched during a turn and its rest, and how long is a rest?"""

import asyncio
import random
from collections.abc import Sequence
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
    quiet: list[float] = field(default_factory=list)
    """For how many seconds nothing comes, turn by turn."""
    polls: list[tuple[float, bool]] = field(default_factory=list)
    getmany: Any = None

    async def poll(self) -> dict[str, list[str]]:
        self.polls.append((round(asyncio.get_running_loop().time(), 3), self.fetches()))
        if len(self.polls) % 2 == 0:
            return {"place": ["record"]}
        if self.quiet:
            pass_by(self.quiet.pop(0))
        return {}

    def fetches(self) -> bool:
        return bool(self._fetcher._get_actions_per_node(None)[0])

    def told(self) -> list[float]:
        return self._fetcher.told

    def catch_up(self) -> None:
        for state in self._fetcher._subscriptions.subscription.assignment.values():
            state.position = state.highwater


async def turned(client: Client, times: float, took: list[float], caught_up: int = 0) -> Client:
    """Let a client be polled for turns of so many seconds, each followed by a rest so many times as long.

    When so many turns are over nothing more is waiting.
    """
    client.getmany = client.poll
    waiting.install(client, Rest(turns=times, seconds_max=1.0))
    for number, seconds in enumerate(took):
        if number == caught_up > 0:
            client.catch_up()
        assert await client.getmany() == {"place": ["record"]}
        assert not client.fetches()
        pass_by(seconds)
    return client


def pass_by(seconds: float) -> None:
    """Let so much time pass."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.jump(loop.time() + seconds)


def virtually(
    times: float,
    took: list[float],
    assignment: Assignment | None = None,
    kept: str = "",
    quiet: Sequence[float] = (),
    caught_up: int = 0,
) -> Client:
    fetcher = Noting(assignment)
    fetcher._records = dict.fromkeys(kept, None)
    return run_virtually(turned(Client(fetcher, list(quiet)), times, took, caught_up), random.Random(1))


@pytest.mark.parametrize(
    ("quiet", "begins"),
    [
        ([0.02], [0.0, 0.06, 0.18, 0.3]),  # no longer than the brokers may take to answer
        ([0.05], [0.0, 0.08, 0.18, 0.3]),  # spares the first rest, but for a little, and begins to spare the second
        ([0.1], [0.0, 0.13, 0.18, 0.3]),
        ([0.0, 0.32], [0.0, 0.04, 0.41, 0.46]),
        ([30.0], [0.0, 30.03, 30.08, 30.13]),
    ],
)
def test_who_was_idle_rests_as_much_less_afterwards(quiet: list[float], begins: list[float]) -> None:
    client = virtually(3.0, [0.01, 0.03, 0.03, 0.5], quiet=quiet)
    assert [at for at, _ in client.polls[::2]] == begins
    assert client.told() == [0.0, *(round(at - 0.005, 3) for at in begins[1:])]


def test_it_is_not_kept_for_ever_that_a_service_was_idle() -> None:
    begins = [at for at, _ in virtually(20.0, [0.1] * 7, quiet=[3600.0]).polls[::2]]
    assert begins[1:] == [3600.12, 3600.24, 3600.36, 3600.48, 3601.5, 3602.6]


def test_who_finds_more_than_a_turn_holds_was_not_idle_however_long_nothing_came() -> None:
    states = Assignment({"left out": State(position=3, highwater=4)})
    client = virtually(3.0, [0.01, 0.02, 0.02], states, quiet=[30.0], caught_up=1)
    assert [at for at, _ in client.polls[::2]] == [0.0, 30.01, 30.09]


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
