"""How are facts about millions of cases brought together in a bounded memory?

Facts are put down in the order in which they are met. Whenever so many are held, they are sorted by their key and
written to a temporary file, a run; at the end all runs are read side by side and every key comes up once, with its
facts one after the other: nobody holds all that was ever said of one key. A run is written by one process and may be
read by another.
"""

import heapq
import marshal
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

KEY_BYTES = 16
HELD_MAX = 50_000
"""Facts that a sorter holds: some 20 MB."""
CHUNK = 256
"""Facts that are read at once from each run."""
RUNS_MAX = 256
"""Runs that are open at once; more are joined first."""

Fact: TypeAlias = tuple[Any, ...]
Keyed: TypeAlias = tuple[bytes, Fact]
_KEY = itemgetter(0)


class Sorter:
    """Takes facts in any order and leaves them in sorted runs."""

    __slots__ = ("_folder", "_held", "_held_max", "_name", "runs")

    def __init__(self, folder: Path, name: str, held_max: int = HELD_MAX) -> None:
        """Begin with nothing; ``name`` is one that no other sorter in this folder has."""
        self._folder = folder
        self._name = name
        self._held_max = held_max
        self._held: list[Keyed] = []
        self.runs: list[Path] = []

    def add(self, key: bytes, fact: Fact, order: bytes = b"") -> None:
        """Put a fact down under a key of 16 bytes; ``order`` says where it stands among the facts of its key."""
        self._held.append((key + order, fact))
        if len(self._held) >= self._held_max:
            self.close()

    def close(self) -> None:
        """Write what is held; facts of one key and order stay as they came."""
        if self._held:
            self._held.sort(key=_KEY)
            path = self._folder / f"{self._name}-{len(self.runs)}.run"
            _write(path, iter(self._held))
            self.runs.append(path)
            self._held = []


def by_key(runs: Sequence[Path], folder: Path) -> Iterator[tuple[bytes, Iterable[Fact]]]:
    """Yield every key once, in order, with its facts, which are read on demand and gone with the next key.

    Runs of one sorter keep their order.
    """
    waiting = list(runs)
    for number in count():
        if len(waiting) <= RUNS_MAX:
            break
        joined = folder / f"joined-{waiting[0].stem}-{number}.run"
        _write(joined, _merged(waiting[:RUNS_MAX]))
        waiting = [joined, *waiting[RUNS_MAX:]]
    for key, keyed in groupby(_merged(waiting), key=_named):
        yield key, (fact for _, fact in keyed)


def _named(keyed: Keyed) -> bytes:
    return keyed[0][:KEY_BYTES]


def _merged(runs: Sequence[Path]) -> Iterator[Keyed]:
    return heapq.merge(*map(_read, runs), key=_KEY)


def _write(path: Path, facts: Iterator[Keyed]) -> None:
    with path.open("wb") as file:
        while chunk := list(islice(facts, CHUNK)):
            marshal.dump(chunk, file)


def _read(path: Path) -> Iterator[Keyed]:
    with path.open("rb") as file:
        while True:
            try:
                chunk: list[Keyed] = marshal.load(file)  # noqa: S302 - a file of ours in a folder of ours
            except EOFError:
                return
            yield from chunk
