"""Who can take work, and how much of an agent is taken? (A2)"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.channel import AgentProfileSet
from contracts.policy.routing import CapacityPolicy
from contracts.values import Channel, Presence
from services.router.domain.case import HELD, Case

LIVE_PRESENCES: frozenset[Presence] = frozenset({"available", "busy"})
"""At the desk, whether or not the agent can be asked now."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: profile, presence and load; without a profile nobody is asked."""

    agent_id: str
    profile: AgentProfileSet | None = None
    presence: Presence = "offline"
    idle_since: datetime | None = None
    load: Mapping[Channel, int] = field(default_factory=dict)
    """Units taken, per channel."""
    _free: dict[Channel | None, int] = field(init=False, repr=False, compare=False, default_factory=dict)
    """What was computed before: every round asks this of every agent, and few have changed."""

    @property
    def department(self) -> str | None:
        """Return the agent's department; an agent without a profile has none."""
        return None if self.profile is None else self.profile.department

    def free(self, channel: Channel | None = None) -> int:
        """Return how many units can be taken on this channel, or in all; negative when a profile took capacity away."""
        known = self._free.get(channel)
        if known is None:
            known = self._free[channel] = self._computed(channel)
        return known

    def _computed(self, channel: Channel | None) -> int:
        if self.profile is None:
            return 0
        capacity = self.profile.capacity
        in_all = capacity.total - sum(self.load.values())
        if channel is None:
            return in_all
        of_channel: int = getattr(capacity, channel) - self.load.get(channel, 0)
        return min(of_channel, in_all)


@dataclass(frozen=True, slots=True)
class Burden:
    """What one case takes of one agent."""

    agent_id: str
    channel: Channel
    units: int


def burden(case: Case, policy: CapacityPolicy) -> Burden | None:
    """Return what this case takes, and of whom: an offer takes as much as the work itself."""
    if case.offer is not None:
        holder = case.offer.agent_id
    elif case.state in HELD and case.agent_id is not None:
        holder = case.agent_id
    else:
        return None
    channel = case.held_channel or case.contact.channel
    units = policy.units[channel]
    if case.state == "waiting_customer":
        units = -(-units * policy.waiting_customer_percent // 100)
    return Burden(holder, channel, units)


def loaded(agent: Agent, change: Burden, sign: int, now: datetime) -> Agent:
    """Return the agent with this burden added (``sign`` 1) or taken off (-1); who is relieved is idle from now on."""
    load = dict(agent.load)
    load[change.channel] = load.get(change.channel, 0) + sign * change.units
    return replace(agent, load=load, idle_since=now if sign < 0 else agent.idle_since)


def present(agent: Agent, presence: Presence, now: datetime) -> Agent:
    """Return the agent with this presence; idleness counts from the moment the agent became available."""
    begins = presence == "available" and agent.presence != "available"
    return replace(agent, presence=presence, idle_since=now if begins else agent.idle_since)


def may_be_given(agent: Agent) -> bool:
    """Tell whether this agent can be asked for anything now."""
    return agent.presence == "available" and agent.free() > 0


def is_freer(agent: Agent, before: Agent) -> bool:
    """Tell whether something may be given to this agent now that could not be before."""
    return (
        before.presence != "available"
        or agent.profile != before.profile
        or any(agent.free(channel) > before.free(channel) for channel in (None, *agent.load))
    )
