"""How are agents kept: profile, presence and load?"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from asyncpg import Record
from pydantic import ValidationError

from contracts.channel import AgentProfileSet
from contracts.values import Channel
from services.router.domain.agents import Agent
from services.runtime.database import Connection
from services.runtime.errors import CaseloopError

CHANNELS: Final[tuple[Channel, ...]] = ("phone", "chat", "email", "social", "sms")

LOCK = """
-- agents.lock: these agents, locked in one order whoever asks, and always after the cases
SELECT agent_id, presence, idle_since, phone, chat, email, social, sms, profile FROM agents
WHERE agent_id = ANY ($1::text[]) ORDER BY agent_id FOR UPDATE
"""
EVERYBODY = """
-- agents.everybody: who could be asked, and who could not, and which transaction changed each last
SELECT agent_id, xmin FROM agents WHERE profile IS NOT NULL ORDER BY agent_id
"""
CHANGED = """
-- agents.changed: these agents, not locked
SELECT agent_id, xmin, presence, idle_since, phone, chat, email, social, sms, profile FROM agents
WHERE agent_id = ANY ($1::text[]) AND profile IS NOT NULL
"""
PROFILES = """
-- agents.profiles: who are these agents?
SELECT agent_id, profile FROM agents WHERE agent_id = ANY ($1::text[]) AND profile IS NOT NULL
"""
SAVE = """
-- agents.save: agents as they are now
INSERT INTO agents AS old (agent_id, version, presence, idle_since, phone, chat, email, social, sms, profile)
SELECT agent_id, 1, presence, idle_since, phone, chat, email, social, sms, profile
FROM unnest(
    $1::text[], $2::text[], $3::timestamptz[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
    $8::integer[], $9::bytea[]
) AS new (agent_id, presence, idle_since, phone, chat, email, social, sms, profile)
ORDER BY agent_id
ON CONFLICT (agent_id) DO UPDATE SET
    version = old.version + 1, presence = excluded.presence, idle_since = excluded.idle_since, phone = excluded.phone,
    chat = excluded.chat, email = excluded.email, social = excluded.social, sms = excluded.sms,
    profile = excluded.profile
"""


SET_ASIDE = """
-- agents.set_aside: an agent whose profile cannot be read has none, and is asked for nothing until one is set anew
UPDATE agents SET profile = NULL, version = version + 1 WHERE agent_id = $1
"""


class UnreadableAgentError(CaseloopError):
    """A stored profile that is none: the row was changed by another hand than the router's."""

    def __init__(self, agent_id: str) -> None:
        """Name the agent, and no word of the profile."""
        super().__init__(f"the stored profile of agent {agent_id} cannot be read: set it anew")
        self.agent_id = agent_id


async def lock(connection: Connection, agent_ids: Iterable[str]) -> dict[str, Agent]:
    """Return these agents, locked until the end of the transaction; unknown ones are left out."""
    rows = await connection.fetch(LOCK, sorted(agent_ids))
    return {row["agent_id"]: _agent(row) for row in rows}


class Everybody:
    """Every agent with a profile, remembered from look to look: only those are read whose rows were written since."""

    def __init__(self) -> None:
        """Know nobody."""
        self._known: dict[str, tuple[int, Agent]] = {}

    async def look(self, connection: Connection) -> list[Agent]:
        """Return all of them, without locking: what is chosen of it is checked under the lock."""
        rows = await connection.fetch(EVERYBODY)
        unread = [agent_id for agent_id, written in rows if self._known.get(agent_id, (None,))[0] != written]
        if unread:
            for row in await connection.fetch(CHANGED, unread):
                self._known[row["agent_id"]] = (row["xmin"], _agent(row))
        if len(self._known) > len(rows):
            there = {agent_id for agent_id, _ in rows}
            self._known = {agent_id: known for agent_id, known in self._known.items() if agent_id in there}
        return [known[1] for agent_id, _ in rows if (known := self._known.get(agent_id)) is not None]


async def profiles(connection: Connection, agent_ids: Iterable[str]) -> dict[str, AgentProfileSet]:
    """Return the profiles of these agents."""
    rows = await connection.fetch(PROFILES, sorted(agent_ids))
    known = (_read(row["agent_id"], row["profile"]) for row in rows)
    return {profile.agent_id: profile for profile in known}


async def set_aside(connection: Connection, agent_id: str) -> None:
    """Take away a profile that cannot be read."""
    await connection.execute(SET_ASIDE, agent_id)


async def save(connection: Connection, changed: Sequence[Agent]) -> None:
    """Store these agents; their rows are locked, or new."""
    if not changed:
        return
    rows = [
        (
            agent.agent_id,
            agent.presence,
            agent.idle_since,
            *(agent.load.get(channel, 0) for channel in CHANNELS),
            agent.profile.value() if agent.profile else None,
        )
        for agent in changed
    ]
    await connection.execute(SAVE, *map(list, zip(*rows, strict=True)))


def _agent(row: Record) -> Agent:
    profile = row["profile"]
    return Agent(
        agent_id=row["agent_id"],
        profile=None if profile is None else _read(row["agent_id"], profile),
        presence=row["presence"],
        idle_since=row["idle_since"],
        load={channel: row[channel] for channel in CHANNELS},
    )


def _read(agent_id: str, value: bytes) -> AgentProfileSet:
    try:
        return _profile(value)
    except ValidationError:
        raise UnreadableAgentError(agent_id) from None


@lru_cache(maxsize=8192)
def _profile(value: bytes) -> AgentProfileSet:
    """Read a profile once, however many rounds look at it."""
    return AgentProfileSet.read(value)
