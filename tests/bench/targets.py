"""Which figures must a run reach on two cores, and below which must no change let them fall?"""

from collections.abc import Iterable, Mapping
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
        return f"{'a ratio of ' * (self.part == 'ratio')}{bound} {self.unit}".strip()


SERVICES = ("intake", "router", "followup", "notify", "desk")
TARGETS = (
    Target("W1_timers_scheduled_per_second", "W1 timers set per second", least=100_000),
    Target("W1_timers_fired_per_second", "W1 timers fired per second", least=40_000),
    Target("W2_lateness_p99_ms", "W2 lateness (p99)", most=500, unit="ms"),
    Target("W2_fired_after_cancel", "W2 timers fired after they were cancelled", most=0),
    Target("W4_cases_per_second", "W4 cases per second", least=500),
    Target("W4_cases_per_second", "W4 cases per second beside the limit", least=0.45, part="ratio"),
    # From a chat message to its named handler, with nothing else under way.
    Target("W4_alone_assigned_ms", "W4 alone, assigned (p50)", most=40, unit="ms", part="p50"),
    # Beside three times produce to consume and two commits, measured in the same run with nothing between.
    Target("W4_alone_to_raw", "W4 alone, assigned (p50), beside the bare way", most=5),
    # At half of what the same run reached at saturation.
    Target("W4_half_load_ms", "W4 at half load, assigned (p99)", most=150, unit="ms", part="assigned_p99"),
    *(Target("W4_memory_mib", f"W4 memory of {name}", most=150, unit="MiB", part=name) for name in SERVICES),
    Target("start_seconds", "start", most=10, unit="s"),
    Target("W4p_product_to_plain_cases_per_second", "W4p cases per second beside plain", least=4, part="ratio"),
    Target("W4p_product_to_restate_cases_per_second", "W4p cases per second beside Restate", least=1.5, part="ratio"),
    Target("W4p_product_to_restate_facts_per_second", "W4p facts per second beside Restate", least=4, part="ratio"),
    # To the handler here, to the end of its five steps there: Restate tells nothing before.
    Target("W4p_product_to_restate_alone_assigned_ms", "W4p alone, assigned, beside Restate", most=1, part="ratio"),
    Target("W4p_product_to_restate_alone_closed_ms", "W4p alone, closed, beside Restate", most=1, part="ratio"),
    Target("W5_events_per_second", "W5 events per second", least=10_000),
    Target("W7_cpu_ms_per_case", "W7 processor time of a case, last beside first quarter", most=1.05, part="ratio"),
    *(
        Target("W7_memory_ratio", f"W7 memory of {name}, last beside first quarter", most=1.1, part=name)
        for name in SERVICES
    ),
    Target("W8_lost", "W8 lost", most=0),
    Target("W8_doubled", "W8 doubled", most=0),
    Target("W9_decisions_per_second", "W9 decisions per second", least=2_000),
    Target("W9_offer_p99_ms", "W9 from a free place to the offer (p99)", most=100, unit="ms"),
    Target("W9_over_capacity", "W9 agents over their capacity", most=0),
    Target("W10_limit_used_percent", "W10 of the provider's limit used", least=98, unit="%"),
    Target("W10_doubled", "W10 SMS doubled", most=0),
    Target("W10_lost", "W10 SMS lost", most=0),
    Target("W10_unresolved", "W10 SMS of which nobody knows", most=0),
    Target("growth_cpu_ratio", "growth of what a case costs, many stored beside few", most=1.15),
    Target("growth_whole_reads", "growth of tables read from end to end", most=0),
)

GATE = (
    # W5 was at 0.37 to 0.42 of its limit, W4 at 0.27 to 0.54, on a crowded machine and on a slow one.
    Target("W5_events_per_second", "W5 events per second beside the limit", least=0.15, part="ratio"),
    Target("W4_cases_per_second", "W4 cases per second beside the limit", least=0.13, part="ratio"),
)
"""What no change may fall below: ratios to the limit of the same run. Machines differ and drift, ratios hardly."""


def of(figure: str) -> tuple[Target, ...]:
    """Return what is wanted of this figure."""
    return tuple(target for target in TARGETS if target.figure == figure)


def fallen(result: Mapping[str, Any]) -> list[str]:
    """Return one line for each bound of the gate that this run is below; what was not measured has not held."""
    absent = [f"{target.title}: not measured" for target in GATE if target.value(result) is None]
    return [*missed(result, GATE), *absent]


def missed(result: Mapping[str, Any], wanted: Iterable[Target] = TARGETS) -> list[str]:
    """Return one line for each target that this document of a run misses; what was not measured is not missed."""
    lines: list[str] = []
    for target in wanted:
        value = target.value(result)
        if value is not None and not target.is_reached(value):
            said = f"{value:g} {target.unit}".strip()
            lines.append(f"{target.title}: {said}, {target.words()} wanted")
    return lines
