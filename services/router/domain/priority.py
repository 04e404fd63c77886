"""Which case comes first? One number by a published formula (C7)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.policy.routing import PriorityPolicy
from contracts.values import Band, Priority, PriorityComponent
from services.router.domain.case import Case

BANDS: Final[tuple[Band, ...]] = ("critical", "high", "medium")
"""From the highest down; below stands ``low``."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The parts of a priority from which its value at any moment follows, also inside a database."""

    points: int
    """The sum of everything that time does not change."""
    target_seconds: int
    aged_from: datetime


def rank(case: Case, policy: PriorityPolicy) -> Rank:
    """Return what the value of this case's priority is computed from."""
    target = policy.deadline_seconds[case.classification.severity]
    return Rank(sum(points for _, points in _standing(case, policy)), target, case.aged_from)


def value_at(rank: Rank, now: datetime, policy: PriorityPolicy) -> int:
    """Return the value at this moment, in whole points."""
    age = _seconds(rank.aged_from, now)
    return rank.points + _age_points(age, policy) + _deadline_points(age, rank.target_seconds, policy)


def priority(case: Case, now: datetime, policy: PriorityPolicy) -> Priority:
    """Return value, band and the components that are not zero."""
    age = _seconds(case.aged_from, now)
    target = policy.deadline_seconds[case.classification.severity]
    waited = (("age", _age_points(age, policy)), ("deadline", _deadline_points(age, target, policy)))
    components = [(name, points) for name, points in (*_standing(case, policy), *waited) if points]
    value = sum(points for _, points in components)
    return Priority(
        value=value,
        band=band(value, policy),
        components=tuple(PriorityComponent(name=name, points=points) for name, points in components),
    )


def band(value: int, policy: PriorityPolicy) -> Band:
    """Return the band of this value."""
    return next((name for name in BANDS if value >= policy.band_floors[name]), "low")


def band_limits(name: Band, policy: PriorityPolicy) -> tuple[int, int | None]:
    """Return the lowest value of a band and the lowest of the band above it."""
    floors = [0, *sorted(policy.band_floors[each] for each in BANDS)]
    place = 0 if name == "low" else floors.index(policy.band_floors[name])
    return floors[place], floors[place + 1] if place + 1 < len(floors) else None


def _standing(case: Case, policy: PriorityPolicy) -> Iterator[tuple[str, int]]:
    """Yield the summands that time does not change."""
    known = case.classification
    yield "severity", policy.severity[known.severity]
    yield "quadrant", policy.quadrant[known.quadrant]
    yield "emotion", policy.emotion[known.emotion]
    yield "tier", policy.tier[case.customer.tier]
    yield "safety", policy.safety if known.safety else 0
    yield "at_risk", policy.at_risk if case.customer.at_risk else 0
    yield "repeat_contact", policy.repeat_contact if case.repeat else 0
    yield "supervisor", policy.supervisor if case.supervisor_needed else 0
    yield "reopened", policy.reopened if case.cycle > 1 else 0


def _age_points(age: int, policy: PriorityPolicy) -> int:
    return min(policy.age_points_max, age // policy.age_step_seconds * policy.age_step_points)


def _deadline_points(age: int, target: int, policy: PriorityPolicy) -> int:
    return policy.deadline_points_max * min(age, target) // target


def _seconds(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds()))
