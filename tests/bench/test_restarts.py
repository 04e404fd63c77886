"""Is the time that a kill costs read right from the moments at which cases were closed?"""

import pytest

from tests.bench.workloads.restarts import recovery

KILL, END, RATE = 10.0, 28.0, 100.0


def closed(*gaps: tuple[float, float]) -> list[float]:
    """Return a moment each hundredth of a second, but none within these gaps."""
    moments = [number / 100 for number in range(3000)]
    return [moment for moment in moments if not any(begin <= moment < end for begin, end in gaps)]


def test_a_gap_that_begins_late_counts_from_the_kill() -> None:
    assert recovery(closed((11.5, 15.0)), KILL, END, RATE) == pytest.approx(5.0, abs=0.2)


def test_nobody_noticed() -> None:
    assert recovery(closed(), KILL, END, RATE) == 0.0


def test_it_never_came_back() -> None:
    assert recovery(closed((12.0, 40.0)), KILL, END, RATE) is None
