"""Which waiting case goes to which agent? One round, as a pure function (A3)."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from contracts.policy.routing import RoutingPolicy, Step
from contracts.router import Candidate, DecisionRecord, Exclusion
from contracts.values import Channel
from services.router.domain.agents import Agent
from services.router.domain.case import Case
from services.router.domain.seats import LISTED_MAX, Circle, Floor, Scope, Seat
from services.router.domain.unchecked import unchecked

PREFERRED = "preferred"
CANDIDATE = frozenset(Candidate.model_fields)


class Waiting(NamedTuple):
    """What a round has to know of a queued case; a tuple, since a round makes thousands."""

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


def place(case: Waiting) -> tuple[int, datetime, int]:
    """Return where a case stands in its queue: the less, the further in front (C7)."""
    return -case.priority, case.aged_from, case.case_id.int


def match(
    queue: Sequence[Waiting],
    agents: Sequence[Agent],
    now: datetime,
    policy: RoutingPolicy,
    most: int | None = None,
) -> list[Match]:
    """Give the waiting work to the agents: highest priority first, among equals the oldest; nobody beyond capacity.

    With ``most`` the round ends after so many; the others have their turn in the next.
    """
    floor = Floor(agents, now)
    matches: list[Match] = []
    for case in sorted(queue, key=place):
        found = _found(case, floor, now, policy)
        if found is not None:
            seat, decision = found
            floor.give(seat, case.channel, case.units)
            matches.append(Match(case, seat.agent.agent_id, decision))
            if len(matches) == most:
                break
    return matches


def _found(case: Waiting, floor: Floor, now: datetime, policy: RoutingPolicy) -> tuple[Seat, DecisionRecord] | None:
    if not floor.room(case.channel, case.units):
        return None
    waited = max(0, int((now - case.queued_at).total_seconds()))
    own = _own(case, floor, waited, policy)
    if own is None:
        return _searched(case, floor, waited, policy)
    if own.free_units(case.channel) >= case.units:
        return own, _preferred_record(case, own, floor, waited)
    return None if waited < policy.preferred_seconds else _searched(case, floor, waited, policy)


def _searched(case: Waiting, floor: Floor, waited: int, policy: RoutingPolicy) -> tuple[Seat, DecisionRecord] | None:
    """Return the best of the first step that admits anybody with room."""
    room = floor.room(case.channel, case.units)
    if not _reached(case, floor, waited, policy) & room:
        return None
    asked = _asked(case, waited, policy)
    if asked in floor.hopeless:
        return None
    declined = floor.bits(case.declined)
    for step, circle in _steps(case, floor, waited, declined, policy):
        if circle.fit(room, declined):
            return _record(case, step, floor, circle, waited)
    floor.hopeless.add(asked)
    return None


def _reached(case: Waiting, floor: Floor, waited: int, policy: RoutingPolicy) -> int:
    """Return among whom a search may look at all: a department, before overflow has its time."""
    overflows = any(waited >= step.after_seconds for step in policy.steps if step.any_department)
    if overflows or case.safety or _supervised(case, waited, policy):
        return floor.roster.everybody
    return floor.roster.departments.get(case.department, 0)


def _asked(case: Waiting, waited: int, policy: RoutingPolicy) -> Hashable:
    """Return all that decides who fits a case: whoever asks for the same finds the same."""
    open_steps = sum(waited >= step.after_seconds for step in policy.steps)
    supervised = _supervised(case, waited, policy)
    return (
        case.department, case.language, case.skills, case.channel, case.units, case.declined, case.supervisor,
        supervised, case.safety, open_steps,
    )  # fmt: skip


def _own(case: Waiting, floor: Floor, waited: int, policy: RoutingPolicy) -> Seat | None:
    """Return the agent to be asked first, while that agent is there and may have the case."""
    if case.preferred is None or case.preferred in case.declined:
        return None
    seat = floor.seat(case.preferred)
    if seat is None or (_supervised(case, waited, policy) and seat.profile.role != "supervisor"):
        return None
    return seat


def _steps(
    case: Waiting, floor: Floor, waited: int, declined: int, policy: RoutingPolicy
) -> Iterator[tuple[str, Circle]]:
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
        empty = circle.is_empty(declined)
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


def _record(case: Waiting, step: str, floor: Floor, circle: Circle, waited: int) -> tuple[Seat, DecisionRecord]:
    """Return the best of the circle, and why: which rule removed each of the others."""
    declined, able = floor.bits(case.declined), circle.fit(floor.room(case.channel, case.units), 0)
    top = circle.best(floor, case.channel, case.units, declined)
    full = circle.full(floor, case.channel, case.units)
    removed = (*circle.unskilled(floor), *full, *floor.excluded("declined", able & declined))
    record = DecisionRecord(
        step=step,
        waited_seconds=waited,
        candidates=tuple(_candidate(case, points, seat, floor.now) for points, seat in top),
        candidates_total=(able & ~declined).bit_count(),
        excluded=tuple(circle.group.excluded.values()) + removed,
    )
    return top[0][1], record


def _candidate(case: Waiting, points: int, seat: Seat, now: float) -> Candidate:
    """Return an agent who could take the case, unchecked as a changed case is: a round makes thousands."""
    idle = int(now - seat.idle) if seat.idle else 0
    fields: dict[str, object] = {
        "agent_id": seat.agent.agent_id,
        "skill_points": points,
        "idle_seconds": max(0, idle),
        "free_units": seat.free_units(case.channel),
    }
    return unchecked(Candidate, fields, CANDIDATE)


def _preferred_record(case: Waiting, seat: Seat, floor: Floor, waited: int) -> DecisionRecord:
    others = [agent_id for agent_id in islice(floor.here(), LISTED_MAX + 1) if agent_id != seat.agent.agent_id]
    points = seat.points(skill for skill, _ in case.skills)
    passed = Exclusion(rule="not_preferred", agent_ids=tuple(others[:LISTED_MAX]))
    return DecisionRecord(
        step=PREFERRED,
        waited_seconds=waited,
        candidates=(_candidate(case, points, seat, floor.now),),
        candidates_total=1,
        excluded=(passed,) if others else (),
    )
