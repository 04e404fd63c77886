"""Which figures must a run of W4 reach on two cores, and which did it miss?"""

from collections.abc import Mapping
from typing import Any

CASES_PER_SECOND_MIN = 200.0
ALONE_ASSIGNED_MS_MAX = 40.0
"""From a chat message to its named handler, half of the cases, with nothing else under way."""
START_SECONDS_MAX = 10.0


def missed(result: Mapping[str, Any]) -> list[str]:
    """Return one line for each target that this document of a run misses."""
    figures = result["figures"]
    rate = figures["W4_cases_per_second"]["product"]
    assigned = figures["W4_alone_assigned_ms"]["p50"]
    start = result["environment"]["start_seconds"]
    lines: list[str] = []
    if rate < CASES_PER_SECOND_MIN:
        lines.append(f"W4 cases per second: {rate:g}, at least {CASES_PER_SECOND_MIN:g} are wanted")
    if assigned > ALONE_ASSIGNED_MS_MAX:
        lines.append(f"W4 alone, assigned (p50): {assigned:g} ms, at most {ALONE_ASSIGNED_MS_MAX:g} are wanted")
    if start > START_SECONDS_MAX:
        lines.append(f"start: {start:g} s, at most {START_SECONDS_MAX:g} are wanted")
    return lines
