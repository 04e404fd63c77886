"""How are agents kept: profile, presence and load?"""

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from asyncpg import Record
from pydantic import ValidationError

from contracts.channel import AgentProfileSet
from contracts.values import Channel
from services.router.domain.agents import Agent, is_freer, may_be_given
from services.runtime.database import Connection
from services.runtime.errors import CaseloopError

CHANNELS: Final[tuple[Channel, ...]] = ("phone", "chat", "email", "social", "sms")

LOCK = """
-- agents.lock: these agents, locked in one order whoever asks, and always after the cases
SELECT agent_id, presence, idle_since, phone, chat, email, social, sms, profile FROM agents
WHERE agent_id = ANY ($1::text[]) ORDER BY agent_id FOR UPDATE
"""
LOCK_FREE = """
-- agents.lock_free: those of these agents that nobody else has locked, now locked
SELECT agent_id, presence, idle_since, phone, chat, email, social, sms, profile FROM agents
WHERE agent_id = ANY ($1::text[]) ORDER BY agent_id FOR UPDATE SKIP LOCKED
"""
EVERYBODY = """
-- agents.everybody: who could be asked, and who could not, and which write of which transaction changed each last: one
-- that was rolled back gave its version to another, and one that writes twice is looked at in between
SELECT agent_id, version, xmin FROM agents WHERE profile IS NOT NULL ORDER BY agent_id
"""
CHANGED = """
-- agents.changed: these agents, not locked
SELECT agent_id, version, xmin, presence, idle_since, phone, chat, email, social, sms, profile FROM agents
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


async def lock_free(connection: Connection, agent_ids: Iterable[str]) -> dict[str, Agent]:
    """Return those of these agents that nobody else has locked, locked until the end of the transaction."""
    rows = await connection.fetch(LOCK_FREE, sorted(agent_ids))
    return {row["agent_id"]: _agent(row) for row in rows}


class _Seen(NamedTuple):
    version: int
    writer: int
    """The transaction that wrote it."""
    agent: Agent


class Everybody:
    """Every agent with a profile, remembered from look to look: only those are read whose rows were written since."""

    def __init__(self) -> None:
        """Know nobody."""
        self._known: dict[str, _Seen] = {}
        self.room: dict[str, Agent] = {}
        """Those to whom something may be given."""
        self.freed: set[str] = set()
        """Those of them to whom more may be given than at the look before; whoever has looked far for them says so."""

    async def look(self, connection: Connection) -> list[Agent]:
        """Return all of them, without locking: what is chosen of it is checked under the lock."""
        rows = await connection.fetch(EVERYBODY)
        known = self._known.get
        unread = [
            agent_id
            for agent_id, version, writer in rows
            if (seen := known(agent_id)) is None or seen.version != version or seen.writer != writer
        ]
        if unread:
            for row in await connection.fetch(CHANGED, unread):
                self._note(_Seen(row["version"], row["xmin"], _agent(row)))
        if len(self._known) > len(rows):
            for agent_id in self._known.keys() - {row["agent_id"] for row in rows}:
                del self._known[agent_id]
                self._leave(agent_id)
        return [seen.agent for agent_id, _, _ in rows if (seen := known(agent_id)) is not None]

    def looked_for(self, departments: Container[str]) -> None:
        """Note that all who wait have been looked at for the agents of these departments: they are freed no more."""
        self.freed = {each for each in self.freed if self.room[each].department not in departments}

    def _leave(self, agent_id: str) -> None:
        self.room.pop(agent_id, None)
        self.freed.discard(agent_id)

    def _note(self, seen: "_Seen") -> None:
        agent, before = seen.agent, self._known.get(seen.agent.agent_id)
        self._known[agent.agent_id] = seen
        if not may_be_given(agent):
            self._leave(agent.agent_id)
            return
        self.room[agent.agent_id] = agent
        if before is None or is_freer(agent, before.agent):
            self.freed.add(agent.agent_id)


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
