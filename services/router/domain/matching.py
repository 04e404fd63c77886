"""Which waiting case goes to which agent? One round, as a pure function (A3)."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Literal, get_args
from uuid import UUID

from contracts.policy.routing import RoutingPolicy, Step
from contracts.router import Candidate, DecisionRecord, Exclusion
from contracts.values import Channel
from services.router.domain.agents import Agent
from services.router.domain.case import Case
from services.router.domain.seats import LISTED_MAX, Circle, Floor, Scope, Seat

Rule = Literal[
    "presence",
    "department",
    "role",
    "language",
    "skill",
    "capacity_channel",
    "capacity_total",
    "declined",
    "not_preferred",
]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)
"""In the order in which they remove."""
PREFERRED = "preferred"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a round has to know of a queued case."""

    case_id: UUID
    version: int
    department: str
    priority: int
    aged_from: datetime
    queued_at: datetime
    channel: Channel
    units: int
    language: str
    """The primary language, such as ``zh``."""
    skills: tuple[tuple[str, int], ...]
    preferred: str | None
    declined: frozenset[str]
    supervisor: bool
    safety: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A case, the agent chosen for it, and why."""

    waiting: Waiting
    agent_id: str
    decision: DecisionRecord


def waiting(case: Case, priority: int, policy: RoutingPolicy) -> Waiting:
    """Return what a round has to know of this case."""
    return Waiting(
        case_id=case.case_id,
        version=case.version,
        department=case.department,
        priority=priority,
        aged_from=case.aged_from,
        queued_at=case.queued_at,
        channel=case.contact.channel,
        units=policy.capacity.units[case.contact.channel],
        language=case.customer.language.split("-")[0].lower(),
        skills=tuple(sorted(case.skills.items())),
        preferred=case.preferred_agent_id,
        declined=frozenset(case.declined),
        supervisor=case.supervisor_needed,
        safety=case.classification.safety,
    )


def match(queue: Sequence[Waiting], agents: Sequence[Agent], now: datetime, policy: RoutingPolicy) -> list[Match]:
    """Give the waiting work to the agents: highest priority first, among equals the oldest; nobody beyond capacity."""
    floor = Floor(agents, now)
    matches: list[Match] = []
    for case in sorted(queue, key=lambda case: (-case.priority, case.aged_from, case.case_id.int)):
        found = _found(case, floor, now, policy)
        if found is not None:
            seat, decision = found
            seat.take(case.channel, case.units, floor.now)
            matches.append(Match(case, seat.agent.agent_id, decision))
    return matches


def _found(case: Waiting, floor: Floor, now: datetime, policy: RoutingPolicy) -> tuple[Seat, DecisionRecord] | None:
    waited = max(0, int((now - case.queued_at).total_seconds()))
    own = _own(case, floor, waited, policy)
    if own is not None:
        if own.free_units(case.channel) >= case.units:
            return own, _preferred_record(case, own, floor, waited)
        if waited < policy.preferred_seconds:
            return None
    for step, circle in _steps(case, floor, waited, policy):
        best = circle.best(case.channel, case.units, case.declined)
        if best is not None:
            return best, _record(case, step, circle, waited, floor.now)
    return None


def _own(case: Waiting, floor: Floor, waited: int, policy: RoutingPolicy) -> Seat | None:
    """Return the agent to be asked first, while that agent is there and may have the case."""
    if case.preferred is None or case.preferred in case.declined:
        return None
    seat = floor.seats.get(case.preferred)
    if seat is None or (_supervised(case, waited, policy) and seat.profile.role != "supervisor"):
        return None
    return seat


def _steps(case: Waiting, floor: Floor, waited: int, policy: RoutingPolicy) -> Iterator[tuple[str, Circle]]:
    """Yield the steps that are open: those whose time has come, and the next where nobody is there (A3).

    Overflow waits for its time, except for safety emergencies and for cases that need a supervisor.
    """
    supervised = _supervised(case, waited, policy)
    hurried = case.safety or supervised
    empty = False
    for step in policy.steps:
        early = empty and (hurried or not step.any_department)
        if waited < step.after_seconds and not early and not case.safety:
            return
        circle = _circle(case, step, floor, supervised)
        yield step.name, circle
        empty = circle.is_empty(case.declined)
    if case.safety and supervised:
        # C4: with no supervisor anywhere, help comes from whoever is there.
        yield "anybody", _circle(case, policy.steps[-1], floor, supervised=False)


def _supervised(case: Waiting, waited: int, policy: RoutingPolicy) -> bool:
    return case.supervisor and waited < policy.supervisor_fallback_seconds


def _circle(case: Waiting, step: Step, floor: Floor, supervised: bool) -> Circle:
    scope = Scope(
        department=None if step.any_department else case.department,
        supervisor=True if supervised else (None if step.supervisors_too or case.supervisor else False),
        language=None if step.any_language else case.language,
    )
    skills = tuple((skill, level - step.level_drop) for skill, level in case.skills if level > step.level_drop)
    return floor.circle(scope, skills, tuple(skill for skill, _ in case.skills))


def _record(case: Waiting, step: str, circle: Circle, waited: int, now: float) -> DecisionRecord:
    """Return why the best of the circle was chosen, and which rule removed each of the others."""
    fit: list[tuple[int, float, str, Seat]] = []
    removed: dict[str, list[str]] = {}
    for points, seat in circle.members:
        if seat.free_units(case.channel) >= case.units and seat.agent.agent_id not in case.declined:
            fit.append((-points, seat.idle, seat.agent.agent_id, seat))
        else:
            listed = removed.setdefault(_full(case, seat) or "declined", [])
            if len(listed) < LISTED_MAX:
                listed.append(seat.agent.agent_id)
    top = heapq.nsmallest(LISTED_MAX, fit)
    return DecisionRecord(
        step=step,
        waited_seconds=waited,
        candidates=tuple(_candidate(case, -points, seat, now) for points, _, _, seat in top),
        candidates_total=len(fit),
        excluded=_exclusions({**circle.group.excluded, "skill": circle.unskilled, **removed}),
    )


def _full(case: Waiting, seat: Seat) -> str | None:
    if seat.free_units(case.channel) >= case.units:
        return None
    return "capacity_total" if case.units > seat.free_total else "capacity_channel"


def _candidate(case: Waiting, points: int, seat: Seat, now: float) -> Candidate:
    idle = int(now - seat.idle) if seat.idle else 0
    return Candidate(
        agent_id=seat.agent.agent_id,
        skill_points=points,
        idle_seconds=max(0, idle),
        free_units=seat.free_units(case.channel),
    )


def _preferred_record(case: Waiting, seat: Seat, floor: Floor, waited: int) -> DecisionRecord:
    others = [agent_id for agent_id in islice(floor.seats, LISTED_MAX + 1) if agent_id != seat.agent.agent_id]
    points = seat.points(skill for skill, _ in case.skills)
    return DecisionRecord(
        step=PREFERRED,
        waited_seconds=waited,
        candidates=(_candidate(case, points, seat, floor.now),),
        candidates_total=1,
        excluded=_exclusions({"not_preferred": others[:LISTED_MAX]}),
    )


def _exclusions(removed: Mapping[str, Sequence[str]]) -> tuple[Exclusion, ...]:
    return tuple(Exclusion(rule=rule, agent_ids=tuple(removed[rule])) for rule in RULES if removed.get(rule))
