"""Who is there in one round of matching, and whom does one ring of the search admit? (A2, A3)

A round decides hundreds of cases over hundreds of agents. What does not depend on the single case is computed once:
cases that ask for the same thing share a pool, a heap of its agents from the best down. Capacity only falls within a
round, so an agent without room leaves a pool for good; an agent who was chosen goes behind those who idle longer.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    free: dict[Channel, int]
    idle: float
    """Since when the agent is idle, as a number to compare; what the round gives makes it the present."""
    languages: frozenset[str]

    def has_room(self, channel: Channel, units: int) -> bool:
        """Tell whether a case of this size can be taken on this channel."""
        return units <= self.free_total and units <= self._on(channel)

    def take(self, channel: Channel, units: int, now: float) -> None:
        """Give the agent a case."""
        self.free[channel] = self._on(channel) - units
        self.free_total -= units
        self.idle = now

    def free_units(self, channel: Channel) -> int:
        """Return how many units are free on this channel."""
        return min(self.free_total, self._on(channel))

    def _on(self, channel: Channel) -> int:
        known = self.free.get(channel)
        if known is None:
            known = getattr(self.profile.capacity, channel) - self.agent.load.get(channel, 0)
            self.free[channel] = known
        return known


@dataclass(frozen=True, slots=True)
class Ring:
    """What the search asks of an agent at one step; ``None`` asks nothing. Equal rings share a pool."""

    department: str | None
    supervisor: bool | None
    """``True``: only supervisors; ``False``: only agents; ``None``: both."""
    language: str | None
    skills: tuple[tuple[str, int], ...]
    wanted: tuple[str, ...]
    """The skills that rank: those of the case, however far the step has lowered them."""
    channel: Channel
    units: int


@dataclass(slots=True)
class Pool:
    """The agents of one ring, best first: most skill points, then longest idle (A3)."""

    ring: Ring
    members: list[tuple[int, Seat]] = field(default_factory=list)
    heap: list[tuple[int, float, str, Seat]] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    """Who fits and is at the desk, able to be asked now or not."""
    excluded: dict[str, list[str]] = field(default_factory=dict)

    def best(self, declined: frozenset[str]) -> Seat | None:
        """Return the best agent who has room and did not decline this case."""
        passed: list[tuple[int, float, str, Seat]] = []
        chosen: Seat | None = None
        while self.heap and chosen is None:
            points, idle, agent_id, seat = self.heap[0]
            if not seat.has_room(self.ring.channel, self.ring.units):
                heapq.heappop(self.heap)
            elif seat.idle != idle:
                heapq.heapreplace(self.heap, (points, seat.idle, agent_id, seat))
            elif agent_id in declined:
                passed.append(heapq.heappop(self.heap))
            else:
                chosen = seat
        for entry in passed:
            heapq.heappush(self.heap, entry)
        return chosen

    def exclude(self, rule: str, agent_id: str) -> None:
        """Note the first rule that removed an agent, as far as the lists go."""
        listed = self.excluded.setdefault(rule, [])
        if len(listed) < LISTED_MAX:
            listed.append(agent_id)


class Floor:
    """Everybody who could be asked in this round, by department, with the pools made so far."""

    def __init__(self, agents: Sequence[Agent], now: datetime) -> None:
        """Take the agents as they are at this moment."""
        self.now = now.timestamp()
        self.seats: dict[str, Seat] = {}
        self.away: dict[str, list[Agent]] = {}
        self._by_department: dict[str, list[Seat]] = {}
        self._pools: dict[Ring, Pool] = {}
        for agent in agents:
            if agent.profile is None:
                continue
            if agent.presence == "available":
                seat = _seat(agent, agent.profile)
                self.seats[agent.agent_id] = seat
                self._by_department.setdefault(agent.profile.department, []).append(seat)
            else:
                self.away.setdefault(agent.profile.department, []).append(agent)

    def pool(self, ring: Ring) -> Pool:
        """Return the agents of this ring."""
        known = self._pools.get(ring)
        if known is None:
            known = self._pools[ring] = self._made(ring)
        return known

    def has_room(self, departments: Iterable[str] | None = None) -> bool:
        """Tell whether anybody could take anything, in these departments or anywhere."""
        seats = self.seats.values() if departments is None else (
            seat for department in departments for seat in self._by_department.get(department, ())
        )
        return any(seat.free_total > 0 for seat in seats)

    def others(self, department: str) -> Iterator[str]:
        """Yield who could be asked in other departments."""
        for name, seats in self._by_department.items():
            if name != department:
                for seat in seats:
                    yield seat.agent.agent_id

    def _made(self, ring: Ring) -> Pool:
        pool = Pool(ring)
        departments = [ring.department] if ring.department is not None else sorted({*self._by_department, *self.away})
        for department in departments:
            for agent in self.away.get(department, ()):
                pool.exclude("presence", agent.agent_id)
                if agent.profile and agent.presence in LIVE_PRESENCES and _admits(ring, agent, agent.profile):
                    pool.there.add(agent.agent_id)
            for seat in self._by_department.get(department, ()):
                self._admit(pool, seat)
        if ring.department is not None:
            for agent_id, _ in zip(self.others(ring.department), range(LISTED_MAX), strict=False):
                pool.exclude("department", agent_id)
        heapq.heapify(pool.heap)
        return pool

    def _admit(self, pool: Pool, seat: Seat) -> None:
        agent_id = seat.agent.agent_id
        rule = _removed_by(pool.ring, seat)
        if rule is not None:
            pool.exclude(rule, agent_id)
            return
        pool.there.add(agent_id)
        points = sum(seat.profile.skills.get(skill, 0) for skill in pool.ring.wanted)
        pool.members.append((points, seat))
        pool.heap.append((-points, seat.idle, agent_id, seat))


def _admits(ring: Ring, agent: Agent, profile: AgentProfileSet) -> bool:
    return _removed_by(ring, _seat(agent, profile)) is None


def _seat(agent: Agent, profile: AgentProfileSet) -> Seat:
    return Seat(
        agent=agent,
        profile=profile,
        free_total=profile.capacity.total - sum(agent.load.values()),
        free={},
        idle=agent.idle_since.timestamp() if agent.idle_since else 0.0,
        languages=frozenset(language.split("-")[0].lower() for language in profile.languages),
    )


def _removed_by(ring: Ring, seat: Seat) -> str | None:
    """Return the first rule that keeps this agent out of the ring; an agent who names no language speaks all."""
    profile = seat.profile
    if ring.supervisor is not None and (profile.role == "supervisor") != ring.supervisor:
        return "role"
    if ring.language is not None and seat.languages and ring.language not in seat.languages:
        return "language"
    if any(profile.skills.get(skill, 0) < level for skill, level in ring.skills):
        return "skill"
    return None
