"""Who is there in one round of matching, and whom does one step of the search admit? (A2, A3)

A round decides hundreds of cases over hundreds of agents. What does not depend on the single case is computed once:
cases that ask for the same thing share a group, a circle and a line. Capacity only falls within a round, so an agent
without room leaves a line for good; an agent who was chosen goes behind those who idle longer.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from contracts.channel import AgentProfileSet
from contracts.values import Channel
from services.router.domain.agents import LIVE_PRESENCES, Agent

LISTED_MAX = 20
"""Longest list of agents in a decision record; the totals count all."""


@dataclass(slots=True, eq=False)
class Seat:
    """An agent during one round: what was free at its beginning less what the round has given."""

    agent: Agent
    profile: AgentProfileSet
    free_total: int
    idle: float
    """Since when the agent is idle, as a number to compare; what the round gives makes it the present."""
    languages: frozenset[str]
    free: dict[Channel, int] = field(default_factory=dict)

    def free_units(self, channel: Channel) -> int:
        """Return how many units are free on this channel."""
        known = self.free.get(channel)
        if known is None:
            known = self.free[channel] = getattr(self.profile.capacity, channel) - self.agent.load.get(channel, 0)
        return min(known, self.free_total)

    def take(self, channel: Channel, units: int, now: float) -> None:
        """Give the agent a case."""
        self.free_units(channel)
        self.free[channel] -= units
        self.free_total -= units
        self.idle = now

    def points(self, wanted: Iterable[str]) -> int:
        """Return what ranks the agent: the sum of the levels in these skills."""
        return sum(self.profile.skills.get(skill, 0) for skill in wanted)

    def has(self, skills: Iterable[tuple[str, int]]) -> bool:
        """Tell whether the agent has these skills at these levels."""
        return all(self.profile.skills.get(skill, 0) >= level for skill, level in skills)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the search looks at one step; ``None`` asks nothing."""

    department: str | None
    supervisor: bool | None
    """``True``: only supervisors; ``False``: only agents; ``None``: both."""
    language: str | None


@dataclass(slots=True)
class Group:
    """Everybody in one scope, and who was removed from it by which rule."""

    seats: list[Seat] = field(default_factory=list)
    busy: list[Seat] = field(default_factory=list)
    """At the desk but not to be asked now: a case may wait for them."""
    by_skill: dict[str, list[Seat]] = field(default_factory=dict)
    excluded: dict[str, list[str]] = field(default_factory=dict)

    def exclude(self, rule: str, agent_ids: Iterable[str]) -> None:
        """Note the first rule that removed agents, as far as the lists go."""
        listed = self.excluded.setdefault(rule, [])
        listed.extend(islice(agent_ids, LISTED_MAX - len(listed)))

    def skilled(self, skills: Sequence[tuple[str, int]]) -> list[Seat]:
        """Return those who have these skills, by way of the rarest of them."""
        if not skills:
            return self.seats
        rarest = min((self.by_skill.get(skill, []) for skill, _ in skills), key=len)
        return [seat for seat in rarest if seat.has(skills)]


@dataclass(slots=True)
class Circle:
    """Those of a group who fit what a case asks at one step."""

    group: Group
    skills: tuple[tuple[str, int], ...]
    members: list[tuple[int, Seat]]
    """With the points that rank them."""
    unskilled: list[str]
    """Who was removed for want of skill, as far as the lists go."""
    lines: dict[tuple[Channel, int], list[tuple[int, float, str, Seat]]] = field(default_factory=dict)
    """For each size of case, those who may have room: a heap from the best down."""

    def is_empty(self, declined: frozenset[str]) -> bool:
        """Tell whether nobody is there for a case that these agents declined (A3)."""
        there = any(seat.agent.agent_id not in declined for _, seat in self.members)
        return not there and not any(
            seat.agent.agent_id not in declined and seat.has(self.skills) for seat in self.group.busy
        )

    def best(self, channel: Channel, units: int, declined: frozenset[str]) -> Seat | None:
        """Return who has most points, then idles longest, has room, and did not decline this case (A3)."""
        line = self.lines.get((channel, units))
        if line is None:
            line = self.lines[channel, units] = [
                (-points, seat.idle, seat.agent.agent_id, seat) for points, seat in self.members
            ]
            heapq.heapify(line)
        passed: list[tuple[int, float, str, Seat]] = []
        chosen: Seat | None = None
        while line and chosen is None:
            points, idle, agent_id, seat = line[0]
            if seat.free_units(channel) < units:
                heapq.heappop(line)
            elif seat.idle != idle:
                heapq.heapreplace(line, (points, seat.idle, agent_id, seat))
            elif agent_id in declined:
                passed.append(heapq.heappop(line))
            else:
                chosen = seat
        for entry in passed:
            heapq.heappush(line, entry)
        return chosen


class Floor:
    """Everybody who could be asked in this round."""

    def __init__(self, agents: Sequence[Agent], now: datetime) -> None:
        """Take the agents as they are at this moment."""
        self.now = now.timestamp()
        self.seats: dict[str, Seat] = {}
        self._here: dict[str, list[Seat]] = {}
        self._away: dict[str, list[Seat]] = {}
        self._groups: dict[Scope, Group] = {}
        self._circles: dict[tuple[Scope, tuple[tuple[str, int], ...], tuple[str, ...]], Circle] = {}
        for agent in agents:
            if agent.profile is None:
                continue
            seat = _seat(agent, agent.profile)
            places = self._here if agent.presence == "available" else self._away
            places.setdefault(agent.profile.department, []).append(seat)
            if agent.presence == "available":
                self.seats[agent.agent_id] = seat

    def circle(self, scope: Scope, skills: tuple[tuple[str, int], ...], wanted: tuple[str, ...]) -> Circle:
        """Return who fits these skills in this scope; ``wanted`` are the skills that rank."""
        key = (scope, skills, wanted)
        known = self._circles.get(key)
        if known is None:
            group = self._group(scope)
            members = [(seat.points(wanted), seat) for seat in group.skilled(skills)]
            lacking = (seat.agent.agent_id for seat in group.seats if not seat.has(skills))
            known = self._circles[key] = Circle(group, skills, members, list(islice(lacking, LISTED_MAX)))
        return known

    def _group(self, scope: Scope) -> Group:
        known = self._groups.get(scope)
        if known is None:
            known = self._groups[scope] = self._made(scope)
        return known

    def _made(self, scope: Scope) -> Group:
        group = Group()
        away = list(_within(self._away, scope.department))
        group.exclude("presence", (seat.agent.agent_id for seat in away))
        group.busy = [
            seat for seat in away if seat.agent.presence in LIVE_PRESENCES and _removed_by(scope, seat) is None
        ]
        if scope.department is not None:
            elsewhere = {name: seats for name, seats in self._here.items() if name != scope.department}
            group.exclude("department", (seat.agent.agent_id for seat in _within(elsewhere, None)))
        for seat in _within(self._here, scope.department):
            rule = _removed_by(scope, seat)
            if rule is not None:
                group.exclude(rule, (seat.agent.agent_id,))
                continue
            group.seats.append(seat)
            for skill in seat.profile.skills:
                group.by_skill.setdefault(skill, []).append(seat)
        return group


def _within(places: Mapping[str, list[Seat]], department: str | None) -> Iterator[Seat]:
    """Yield the seats of one department, or of all in a fixed order."""
    for name in sorted(places) if department is None else (department,):
        yield from places.get(name, ())


def _seat(agent: Agent, profile: AgentProfileSet) -> Seat:
    return Seat(
        agent=agent,
        profile=profile,
        free_total=profile.capacity.total - sum(agent.load.values()),
        idle=agent.idle_since.timestamp() if agent.idle_since else 0.0,
        languages=frozenset(language.split("-")[0].lower() for language in profile.languages),
    )


def _removed_by(scope: Scope, seat: Seat) -> str | None:
    """Return the rule that keeps this agent out of the scope; an agent who names no language speaks all."""
    if scope.supervisor is not None and (seat.profile.role == "supervisor") != scope.supervisor:
        return "role"
    if scope.language is not None and seat.languages and scope.language not in seat.languages:
        return "language"
    return None
