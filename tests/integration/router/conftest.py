"""What does a test of the router's storage stand on: a schema of its own on a real PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from contracts.message import Message
from contracts.policy import Policy
from contracts.router import CaseEvent
from services.router.bell import Bell
from services.router.domain.case import Case
from services.router.handlers.book import Book
from services.router.handlers.messages import handler
from services.router.handlers.rounds import Round, match_queues
from services.router.handlers.snapshots import tell_latest
from services.router.handlers.sweeps import sweep
from services.router.storage import queues
from services.router.storage.agents import Everybody
from services.runtime.database import Pool, open_pool
from services.runtime.firing import fire_due
from services.runtime.logs import Log
from services.runtime.looking import LookBack
from services.runtime.migrations import migrate
from services.runtime.processing import Processing
from services.runtime.settings import Settings
from services.runtime.work import Outgoing, Received, Work
from tests.support.driver import DEPARTMENTS
from tests.unit.router.given import NOW, received, the_policy

LOG = Log("router", "error")


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands."""

    moment: datetime

    def now(self) -> datetime:
        """Return the moment at which it stands."""
        return self.moment


@dataclass
class Router:
    """The router's transactions on a real database, with a clock that the test moves."""

    pool: Pool
    policy: Policy = field(default_factory=the_policy)
    now: datetime = NOW
    journal: list[Outgoing] = field(default_factory=list)
    """Everything that was said, in the order of the commits."""
    everybody: Everybody = field(default_factory=Everybody)

    def wait(self, seconds: float) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    async def tell(self, *messages: Message | Received) -> list[Outgoing]:
        """Hand these messages over as one batch, in one transaction."""
        batch = [each if isinstance(each, Received) else received(each, len(self.journal)) for each in messages]
        async with self.pool.acquire() as connection, connection.transaction():
            said = list(await handler(self.policy, Bell())(Work(connection, batch, self.now)))
        self.journal += said
        return said

    async def match(self, *departments: str, limit: int = 500) -> Round:
        """Run one round of matching that looks so far into these queues."""
        asked = set(departments or DEPARTMENTS)
        async with self.pool.acquire() as connection, connection.transaction():
            await queues.prepare(connection, asked)
        async with self.pool.acquire() as connection, connection.transaction():
            far = dict.fromkeys(asked, limit)
            found = await match_queues(connection, Book(self.policy, self.now, {}), asked, self.everybody, far)
        self.journal += found.said
        return found

    async def sweep(self) -> list[Outgoing]:
        """Do what time alone does."""
        async with self.pool.acquire() as connection, connection.transaction():
            said = await sweep(connection, self.now, self.policy)
        self.journal += said
        return said

    async def tell_latest(self) -> list[Outgoing]:
        """Tell the snapshots that are due."""
        async with self.pool.acquire() as connection, connection.transaction():
            return (await tell_latest(connection, self.now, self.policy))[0]

    async def fire(self) -> list[Outgoing]:
        """Fire the timers that are due, with the runtime's own hands."""
        said: list[Outgoing] = []

        async def handle(work: Work) -> list[Outgoing]:
            said.extend(await handler(self.policy, Bell())(work))
            return said

        processing = Processing(self.pool, FixedClock(self.now), "caseloop/router", handle, LOG)
        await fire_due(processing, self.pool, LOG, LookBack())
        self.journal += said
        return said

    async def case(self, case_id: UUID) -> Case:
        """Return a case as it is stored."""
        row = await self.pool.fetchrow("SELECT body FROM cases WHERE case_id = $1", case_id)
        assert row is not None
        return Case.model_validate_json(row["body"])

    async def loads(self) -> dict[str, int]:
        """Return how many units each agent has, by the agents' rows."""
        rows = await self.pool.fetch("SELECT agent_id, phone + chat + email + social + sms AS units FROM agents")
        return {row["agent_id"]: row["units"] for row in rows}

    async def loads_by_cases(self) -> dict[str, int]:
        """Return the same, by the cases' rows."""
        rows = await self.pool.fetch(
            "SELECT holder, sum(units) AS units FROM cases WHERE holder IS NOT NULL GROUP BY holder",
        )
        return {row["holder"]: row["units"] for row in rows}


def names(said: Sequence[Outgoing]) -> list[str]:
    """Return the names of the events that were said, in order."""
    return [each.message.type.split(".")[2] for each in said]


def event(said: Sequence[Outgoing], kind: type[CaseEvent]) -> CaseEvent:
    """Return the one event of this kind."""
    found = [each.message for each in said if isinstance(each.message, kind)]
    assert len(found) == 1, names(said)
    return found[0]


@pytest.fixture
async def router(postgres_database: str) -> AsyncIterator[Router]:
    """The router's tables and transactions."""
    connection = await asyncpg.connect(postgres_database)
    await migrate(connection, "router")
    await connection.close()
    settings = Settings.model_validate({"kafka_bootstrap": "127.0.0.1:9", "postgres_dsn": SecretStr(postgres_database)})
    async with open_pool(settings, "router") as pool:
        yield Router(pool)
