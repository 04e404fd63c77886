"""Who is there in one round of matching, and whom does one step of the search admit? (A2, A3)

A round decides hundreds of cases over hundreds of agents. What does not depend on the single case is computed once:
cases that ask for the same thing share a scope, a circle and a line. Capacity only falls within a round, so an agent
without room leaves a line for good; an agent who was chosen goes behind those who idle longer; and what found nobody
finds nobody later.
"""

from bisect import insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.channel import AgentProfileSet
from contracts.router import Exclusion
from contracts.values import Channel
from services.router.domain.agents import LIVE_PRESENCES, Agent
from services.router.domain.roster import Roster, places

LISTED_MAX = 20
"""Longest list of agents in a decision record; the totals count all."""
Skills = tuple[tuple[str, int], ...]
_Entry = tuple[int, float, str, "Seat"]


@dataclass(slots=True, eq=False)
class Seat:
    """An agent during one round: what was free at its beginning less what the round has given."""

    agent: Agent
    profile: AgentProfileSet
    bit: int
    free_total: int
    idle: float
    """Since when the agent is idle, as a number to compare; what the round gives makes it the present."""
    free: dict[Channel, int] = field(default_factory=dict)

    def free_units(self, channel: Channel | None) -> int:
        """Return how many units are free on this channel, or in all."""
        if channel is None:
            return self.free_total
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
        level, points = self.profile.skills.get, 0
        for skill in wanted:
            points += level(skill, 0)
        return points


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

    here: int
    busy: int
    """At the desk but not to be asked now: a case may wait for them."""
    excluded: dict[str, Exclusion]


@dataclass(slots=True)
class Circle:
    """Those of a group who fit what a case asks at one step.

    It does not hold the floor that holds it: what a round has made is gone with it, and not left to the collector of
    garbage, which once in some thirty rounds stopped everything for a third of a second.
    """

    group: Group
    wanted: tuple[str, ...]
    members: int
    busy: int
    lines: dict[tuple[Channel, int], list[_Entry]] = field(default_factory=dict)
    """For each size of case, those who may have room, best first; who was chosen since is moved when met."""
    _unskilled: tuple[Exclusion, ...] | None = None

    def is_empty(self, declined: int) -> bool:
        """Tell whether nobody is there for a case that these agents declined (A3)."""
        return not (self.members | self.busy) & ~declined

    def fit(self, room: int, declined: int) -> int:
        """Return who of those with room for such a case did not decline it."""
        return self.members & room & ~declined

    def best(self, floor: "Floor", channel: Channel, units: int, declined: int) -> list[tuple[int, Seat]]:
        """Return who has most points, then idles longest, has room, and did not decline: best first, with points."""
        line, room = self._line(floor, channel, units), floor.room(channel, units)
        found: list[tuple[int, Seat]] = []
        place = 0
        while place < len(line) and len(found) < LISTED_MAX:
            points, idle, agent_id, seat = line[place]
            if not seat.bit & room:
                del line[place]
            elif seat.idle != idle:
                del line[place]
                insort(line, (points, seat.idle, agent_id, seat), lo=place)
            else:
                place += 1
                if not seat.bit & declined:
                    found.append((-points, seat))
        return found

    def _line(self, floor: "Floor", channel: Channel, units: int) -> list[_Entry]:
        known = self.lines.get((channel, units))
        if known is None:
            able = self.fit(floor.room(channel, units), 0)
            known = self.lines[channel, units] = sorted(floor.ranked(able, self.wanted))
        return known

    def unskilled(self, floor: "Floor") -> tuple[Exclusion, ...]:
        """Return who was removed for want of skill, as far as the lists go."""
        if self._unskilled is None:
            self._unskilled = floor.excluded("skill", self.group.here & ~self.members)
        return self._unskilled

    def full(self, floor: "Floor", channel: Channel, units: int) -> tuple[Exclusion, ...]:
        """Return who has no room for such a case, on its channel or at all."""
        above = floor.room(None, units)
        of_channel = floor.excluded("capacity_channel", self.members & above & ~floor.room(channel, units))
        return of_channel + floor.excluded("capacity_total", self.members & ~above)


class Floor:
    """Everybody who could be asked in this round."""

    def __init__(self, agents: Sequence[Agent], now: datetime) -> None:
        """Take the agents as they are at this moment."""
        self.now = now.timestamp()
        self.hopeless: set[Hashable] = set()
        """What nobody had room for in this round."""
        self._known = [agent for agent in agents if agent.profile is not None]
        self.roster = _roster([agent.profile for agent in self._known if agent.profile is not None])
        self._ordered = [self._known[place] for place in self.roster.order]
        self._seats: list[Seat | None] = [None] * len(self._ordered)
        self._here = self._busy = 0
        bit = 1
        for agent in self._ordered:
            if agent.presence == "available":
                self._here |= bit
            elif agent.presence in LIVE_PRESENCES:
                self._busy |= bit
            bit <<= 1
        self._rooms: dict[tuple[Channel | None, int], int] = {}
        self._groups: dict[Scope, Group] = {}
        self._circles: dict[tuple[Scope, Skills, tuple[str, ...]], Circle] = {}

    def here(self) -> Iterator[str]:
        """Yield who can be asked, in the order in which they were given."""
        return (agent.agent_id for agent in self._known if agent.presence == "available")

    def seat(self, agent_id: str) -> Seat | None:
        """Return the seat of an agent, if this one can be asked."""
        bit = self.roster.bits.get(agent_id, 0)
        return self._seat(bit.bit_length() - 1) if bit & self._here else None

    def _seat(self, place: int) -> Seat:
        known = self._seats[place]
        if known is None:
            known = self._seats[place] = _seat(self._ordered[place], self.roster.ordered[place], 1 << place)
        return known

    def circle(self, scope: Scope, skills: Skills, wanted: tuple[str, ...]) -> Circle:
        """Return who fits these skills in this scope; ``wanted`` are the skills that rank."""
        key = (scope, skills, wanted)
        known = self._circles.get(key)
        if known is None:
            group = self._group(scope)
            able = self.roster.skilled(skills)
            known = self._circles[key] = Circle(group, wanted, group.here & able, group.busy & able)
        return known

    def room(self, channel: Channel | None, units: int) -> int:
        """Return who can take so many units now, on this channel or on some channel."""
        known = self._rooms.get((channel, units))
        if known is None:
            known, bit = 0, 1
            for agent in self._ordered:
                if agent.free(channel) >= units:
                    known |= bit
                bit <<= 1
            known &= self._here
            for seat in self._seats:
                if seat is not None and seat.free_units(channel) < units:
                    known &= ~seat.bit
            self._rooms[channel, units] = known
        return known

    def give(self, seat: Seat, channel: Channel, units: int) -> None:
        """Give an agent a case; who has no room left for another is not found for one again."""
        seat.take(channel, units, self.now)
        for (of_channel, size), room in self._rooms.items():
            if seat.free_units(of_channel) < size:
                self._rooms[of_channel, size] = room & ~seat.bit

    def ranked(self, agents: int, wanted: tuple[str, ...]) -> list[_Entry]:
        """Return these agents, who are all here, with what ranks them for these skills: points, then idleness."""
        line: list[_Entry] = []
        seats, names = self._seats, self.roster.agents
        levels = [self.roster.levels(skill) for skill in wanted]
        for place in places(agents):
            seat = seats[place] or self._seat(place)
            points = 0
            for level in levels:
                points -= level[place]
            line.append((points, seat.idle, names[place], seat))
        return line

    def bits(self, agent_ids: Iterable[str]) -> int:
        """Return these agents as a set; unknown ones are nobody."""
        found = 0
        for agent_id in agent_ids:
            found |= self.roster.bits.get(agent_id, 0)
        return found

    def excluded(self, rule: str, agents: int) -> tuple[Exclusion, ...]:
        """Return that this rule removed these agents, as far as the lists go."""
        if not agents:
            return ()
        return (Exclusion.model_validate({"rule": rule, "agent_ids": tuple(self.roster.named(agents, LISTED_MAX))}),)

    def _group(self, scope: Scope) -> Group:
        known = self._groups.get(scope)
        if known is None:
            known = self._groups[scope] = self._made(scope)
        return known

    def _made(self, scope: Scope) -> Group:
        roster = self.roster
        everybody = roster.everybody
        within = everybody if scope.department is None else roster.departments.get(scope.department, 0)
        roles = everybody
        if scope.supervisor is not None:
            roles = roster.supervisors if scope.supervisor else everybody & ~roster.supervisors
        speaking = everybody if scope.language is None else roster.speaking(scope.language)
        here = self._here & within
        excluded = {
            "presence": self.excluded("presence", within & ~self._here),
            "department": self.excluded("department", self._here & ~within),
            "role": self.excluded("role", here & ~roles),
            "language": self.excluded("language", here & roles & ~speaking),
        }
        named = {rule: found[0] for rule, found in excluded.items() if found}
        return Group(here & roles & speaking, self._busy & within & roles & speaking, named)


def _seat(agent: Agent, profile: AgentProfileSet, bit: int) -> Seat:
    idle = agent.idle_since.timestamp() if agent.idle_since else 0.0
    return Seat(agent, profile, bit, agent.free(), idle)


_last = Roster(())
"""The roster of the last round: as long as nobody's profile changes it is the roster of the next."""


def _roster(profiles: list[AgentProfileSet]) -> Roster:
    global _last  # noqa: PLW0603 - a cache of one
    if len(profiles) != len(_last.profiles) or any(
        mine is not known for mine, known in zip(profiles, _last.profiles, strict=True)
    ):
        _last = Roster(profiles)
    return _last
