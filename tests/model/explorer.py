"""Is there any order of steps that breaks a promise? Every one is tried, shortest first, so what is found is short."""

import inspect
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
Steps = Iterator[tuple[str, S]]
STATES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Guard:
    """One protection of a model, and where production has it."""

    name: str
    home: str | Callable[..., object] | type
    """The statement, function or class that holds it."""
    words: str
    """How it reads there; empty when the whole function is the protection."""
    breaks: str
    """The beginning of what goes wrong without it."""

    def stands(self) -> bool:
        """Tell whether production still says so."""
        return self.words in (self.home if isinstance(self.home, str) else inspect.getsource(self.home))


class Model(Protocol[S]):
    """What is explored: a beginning, what may happen next, and what must never be."""

    def initial(self) -> S:
        """Return where it begins."""
        ...

    def steps(self, state: S) -> Steps[S]:
        """Yield what the workers and the outside may do next, each with the state after it."""
        ...

    def faults(self, state: S) -> Steps[S]:
        """Yield what may go wrong next; a fault may come and need not."""
        ...

    def mirrored(self, state: S) -> S:
        """Return the same state with the two workers' names exchanged: nothing new can follow from it."""
        ...

    def problem(self, state: S, at_rest: bool) -> str | None:
        """Return what is broken in this state; ``at_rest``: nothing more happens unless something fails."""
        ...


@dataclass(frozen=True, slots=True)
class Explored:
    """What a search has seen."""

    states: int
    problem: str | None = None
    trace: tuple[str, ...] = ()
    """The shortest way to the problem."""

    def __str__(self) -> str:
        """Return the story, a line per step."""
        if self.problem is None:
            return f"{self.states} states, nothing broken"
        lines = [f"{number:2}. {label}" for number, label in enumerate(self.trace, 1)]
        return "\n".join([*lines, f"    => {self.problem}"])


def explore(model: Model[S], breaks: str = "") -> Explored:
    """Visit every state that can be reached and stop at the first that is broken in a way that begins so."""
    first = model.initial()
    came_from: dict[S, tuple[S, str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        following = list(model.steps(state))
        broken = model.problem(state, at_rest=not following)
        if broken is not None and broken.startswith(breaks):
            return Explored(len(came_from), broken, _way(came_from, state))
        for label, after in (*following, *model.faults(state)):
            if after not in came_from and model.mirrored(after) not in came_from:
                came_from[after] = (state, label)
                waiting.append(after)
        assert len(came_from) <= STATES_MAX, "the model does not end"
    return Explored(len(came_from))


def _way(came_from: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    labels: list[str] = []
    while (step := came_from[state]) is not None:
        state, label = step
        labels.append(label)
    return tuple(reversed(labels))
