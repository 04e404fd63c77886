"""Which figures must a run reach on two cores, and which did it miss?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of one figure."""

    figure: str
    title: str
    least: float | None = None
    most: float | None = None
    unit: str = ""
    part: str = "product"
    """Which number of the figure it is about."""

    def value(self, result: Mapping[str, Any]) -> float | None:
        """Return what was measured, or nothing."""
        holder: Mapping[str, Any] = result.get("environment" if self.figure == "start_seconds" else "figures", {})
        found = holder.get(self.figure)
        return found.get(self.part) if isinstance(found, Mapping) else found

    def is_reached(self, value: float) -> bool:
        """Tell whether this is good enough."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def words(self) -> str:
        """Return what is wanted, for people."""
        bound = f"at least {self.least:,g}" if self.least is not None else f"at most {self.most:,g}"
        return f"{bound} {self.unit}".strip()


TARGETS = (
    Target("W4_cases_per_second", "W4 cases per second", least=200),
    Target("W4_alone_assigned_ms", "W4 alone, assigned (p50)", most=40, unit="ms", part="p50"),
    Target("start_seconds", "start", most=10, unit="s"),
)
"""The second is from a chat message to its named handler, half of the cases, with nothing else under way."""


def missed(result: Mapping[str, Any]) -> list[str]:
    """Return one line for each target that this document of a run misses; what was not measured is not missed."""
    lines: list[str] = []
    for target in TARGETS:
        value = target.value(result)
        if value is not None and not target.is_reached(value):
            said = f"{value:g} {target.unit}".strip()
            lines.append(f"{target.title}: {said}, {target.words()} wanted")
    return lines
