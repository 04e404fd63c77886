"""What is a workload given, and what does it give back?"""

import statistics
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that nobody else uses, as durable as in earnest, and how much is wanted."""

    kafka: str
    postgres: str
    """The administrator's DSN."""
    scratch: Path
    runs: int = 3
    """How often everything is measured; a figure is the median."""
    quick: bool = False
    """Whether the whole workload has to be over within 90 seconds."""
    cases: int | None = None
    """W4: cases in the saturation run; growth: stored ones."""
    alone: int | None = None
    """W4: cases sent one by one."""
    long: bool = False
    """W3 and W7: as long as in the standard of the suite, ten minutes and an hour."""

    def size(self, full: int, quick: int) -> int:
        """Return how much is to be done."""
        return quick if self.quick else full

    def seconds(self, usual: float, quick: float, long: float) -> float:
        """Return how long a steady load is to be watched."""
        return long if self.long else self.size(round(usual), round(quick))


class NoResultError(Exception):
    """Something was lost, doubled, early or never came: there is no figure to speak of."""


@dataclass(slots=True)
class Measured:
    """What a workload has found out, run by run."""

    details: dict[str, Any] = field(default_factory=dict)
    """What helps to understand the figures: sizes, raw rates, what was counted in the tables."""
    environment: dict[str, Any] = field(default_factory=dict)
    """What belongs to the machine and is not known to the program that calls."""
    _products: dict[str, list[float]] = field(default_factory=dict)
    _limits: dict[str, list[float]] = field(default_factory=dict)
    _ready: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, product: float, limit: float | None = None) -> None:
        """Note one run's value of a figure, and beside it what this machine could do at best in the same run."""
        self._products.setdefault(name, []).append(product)
        if limit is not None:
            self._limits.setdefault(name, []).append(limit)

    def put(self, name: str, **parts: Any) -> None:  # noqa: ANN401 - numbers of a form of its own
        """Note a figure that was made otherwise than by runs."""
        self._ready[name] = parts

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return every figure: the median, the least and the most of its runs; the ratio is the median of ratios."""
        return {name: self._figure(name, values) for name, values in self._products.items()} | self._ready

    def _figure(self, name: str, values: list[float]) -> dict[str, Any]:
        figure: dict[str, Any] = {"product": rounded(statistics.median(values))}
        limits = self._limits.get(name)
        if limits:
            ratios = [value / limit for value, limit in zip(values, limits, strict=True)]
            figure |= {"limit": rounded(statistics.median(limits)), "ratio": round(statistics.median(ratios), 3)}
        return figure | {"minimum": rounded(min(values)), "maximum": rounded(max(values)), "runs": len(values)}


Run = Callable[[Ground], Coroutine[Any, Any, Measured]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the suite; names of its figures begin with its own."""

    title: str
    run: Run
    postgres: Mapping[str, str] = field(default_factory=dict)
    """With which settings PostgreSQL has to be started, beside the usual."""


Workloads = Mapping[str, Workload]


def rounded(value: float) -> float:
    """Return the value without digits that say nothing."""
    return round(value) if abs(value) >= 1000 else round(value, 1) if abs(value) >= 10 else round(value, 2)


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
