"""Who are the agents, whatever they are doing now? Sets of agents by department, role, language and skill.

A set is a whole number with a bit for each agent, in the order of departments and then of the agents as they were
given: to know who has two skills and a language costs two ``&`` whatever the size of the floor, and how many are left
is a count of bits. Profiles rarely change, so a roster serves many rounds.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from contracts.channel import AgentProfileSet


class Roster:
    """The profiles of one moment, and sets over them."""

    def __init__(self, profiles: Sequence[AgentProfileSet]) -> None:
        """Take the profiles in the order in which lists of agents name them."""
        self.profiles = list(profiles)
        self.order = sorted(range(len(self.profiles)), key=lambda place: self.profiles[place].department)
        """For each place the profile that stands there."""
        self.ordered = [self.profiles[place] for place in self.order]
        self.agents = [profile.agent_id for profile in self.ordered]
        self.bits = {agent_id: 1 << place for place, agent_id in enumerate(self.agents)}
        self.everybody = (1 << len(self.ordered)) - 1
        self.supervisors = 0
        self.departments: dict[str, int] = {}
        self._speak: dict[str, int] = {}
        self._speak_any = 0
        self._levels: dict[tuple[str, int], int] = {}
        self._of_none = [0] * len(self.ordered)
        self._of_skill: dict[str, list[int]] = {}
        for place, profile in enumerate(self.ordered):
            self._enter(profile, 1 << place)
            for skill, level in profile.skills.items():
                self._of_skill.setdefault(skill, self._of_none.copy())[place] = level

    def _enter(self, profile: AgentProfileSet, bit: int) -> None:
        self.departments[profile.department] = self.departments.get(profile.department, 0) | bit
        if profile.role == "supervisor":
            self.supervisors |= bit
        for language in profile.languages:
            spoken = language.split("-")[0].lower()
            self._speak[spoken] = self._speak.get(spoken, 0) | bit
        if not profile.languages:
            self._speak_any |= bit
        for skill, has in profile.skills.items():
            for level in range(1, has + 1):
                self._levels[skill, level] = self._levels.get((skill, level), 0) | bit

    def speaking(self, language: str) -> int:
        """Return who speaks this language; an agent who names none speaks all."""
        return self._speak.get(language, 0) | self._speak_any

    def skilled(self, skills: Sequence[tuple[str, int]]) -> int:
        """Return who has all these skills, each at its level or above."""
        found = self.everybody
        for skill in skills:
            found &= self._levels.get(skill, 0)
        return found

    def levels(self, skill: str) -> Sequence[int]:
        """Return the level that each agent has in this skill, by place; 0 for who lacks it."""
        return self._of_skill.get(skill, self._of_none)

    def named(self, agents: int, most: int) -> list[str]:
        """Return the first of these agents, in order."""
        return [self.agents[place] for place in islice(places(agents), most)]


def places(agents: int) -> Iterator[int]:
    """Yield the place of each of these agents, in order."""
    while agents:
        lowest = agents & -agents
        yield lowest.bit_length() - 1
        agents ^= lowest
