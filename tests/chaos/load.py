"""How does a run get its load, and what does the load tell of the product's pace?"""

import asyncio
import random
import statistics
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.driver import BROKEN, Driver

DUPLICATED = 0.2
WINDOW_SECONDS = 1.0
BEST_SECONDS = 2.0
STEP_SECONDS = 0.1
RECOVERY_SECONDS = 10.0
SHARE = 0.95
WAITING_SECONDS = 1.5


@dataclass(slots=True)
class Load:
    """Cases that begin at a steady rate, whatever becomes of those before."""

    driver: Driver
    rate: float
    dice: random.Random
    duplicated: float = DUPLICATED
    """Which share of the first messages is sent twice."""
    text: str = BROKEN
    """What each customer says first."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Begin cases until told to end."""
        begun, number = time.perf_counter(), 0
        while not self.ended.is_set():
            number += 1
            await self.driver.contact(copies=1 + (self.dice.random() < self.duplicated), text=self.text)
            await asyncio.sleep(max(0.0, begun + number / self.rate - time.perf_counter()))

    async def steady(self, seconds: float) -> None:
        """Return when cases are closed as fast as they begin and none has waited for long; else after so long."""
        deadline = time.perf_counter() + seconds
        while (now := time.perf_counter()) < deadline and not self._is_steady(now):  # noqa: ASYNC110 - a pace, no event
            await asyncio.sleep(STEP_SECONDS)

    def _is_steady(self, now: float) -> bool:
        lately = [each for each in self.driver.journeys.values() if now - BEST_SECONDS < each.closed]
        waiting = len(self.driver.journeys) - self.driver.closed
        return len(lately) >= SHARE * self.rate * BEST_SECONDS and waiting <= self.rate * WAITING_SECONDS


@dataclass(frozen=True, slots=True)
class Pace:
    """What the moments of all cases tell about a fault between two moments."""

    recovery_seconds: float | None
    """From the fault's end until cases are closed as fast as before; ``None`` when they never were."""
    throughput_ratio: float
    """The best two seconds of the ten after the fault's end, against the time before."""
    backlog: int
    """Most cases that were open at a time."""


def pace(sent: Sequence[float], closed: Sequence[float], fault: tuple[float, float], before: float) -> Pace:
    """Return it; ``before`` is when the undisturbed time began."""
    sent, closed = sorted(sent), sorted(closed)
    usual = max(between(closed, before, fault[0]) / (fault[0] - before), 0.1)
    end, last = fault[1], sent[-1] if sent else fault[1]
    steps = [end + STEP_SECONDS * step for step in range(max(1, round((last - end) / STEP_SECONDS)))]
    recovered = [at for at in steps if between(closed, at, at + WINDOW_SECONDS) >= SHARE * usual * WINDOW_SECONDS]
    best = max(between(closed, at, at + BEST_SECONDS) for at in steps if at < end + RECOVERY_SECONDS)
    backlog = max((place + 1 - bisect_left(closed, at) for place, at in enumerate(sent)), default=0)
    return Pace(round(recovered[0] - end, 1) if recovered else None, round(best / BEST_SECONDS / usual, 2), backlog)


def slowest(driver: Driver, since: float = 0.0, until: float = float("inf")) -> float:
    """Return the p99 of the seconds from first message to closing, or to now, of cases that began in this time."""
    now = time.perf_counter()
    took = [(each.closed or now) - each.sent for each in driver.journeys.values() if since <= each.sent < until]
    return round(statistics.quantiles(took, n=100)[-1], 2) if len(took) > 1 else 0.0


def between(moments: Sequence[float], begin: float, end: float) -> int:
    """Return how many of these ordered moments lie between two."""
    return bisect_left(moments, end) - bisect_left(moments, begin)
