"""What does a test of followup on a real database stand on? The production handler, its schema, and a clock to move."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.message import Message, derived_id
from contracts.policy import Policy
from contracts.router import CaseEvent, CaseOpened
from services.followup.app import SERVICE
from services.followup.handlers import handler_of
from services.runtime import firing
from services.runtime.database import Pool, open_pool
from services.runtime.looking import LookBack
from services.runtime.migrations import migrate
from services.runtime.processing import Processing
from services.runtime.work import Outgoing, Received, Work
from tests.support.examples import example
from tests.support.floor import settings_for
from tests.support.tiny import SettableClock, a_processing
from tests.unit.followup.story import AGENT, MONDAY, STANDARD, SYSTEM, Story, a_case


@dataclass
class Stand:
    """Followup without Kafka: what it hears is handed to it as it reads it, what it says is kept here."""

    pool: Pool
    clock: SettableClock
    policy: Policy
    said: list[Outgoing] = field(default_factory=list)
    heard: int = 0
    idle: list[str] = field(default_factory=list)
    """The types of what changed nothing, as the handler said."""

    def __post_init__(self) -> None:
        """Build the handler once, as the runtime does."""
        self.handler = handler_of(self.policy)

    @property
    def processing(self) -> Processing:
        """Return the runtime's way of settling around followup's handler."""
        return a_processing(self.pool, self._handle, self.clock)

    async def hear(self, *messages: Message) -> list[Message]:
        """Handle these messages as one batch in one transaction, and return what is said."""
        before = len(self.said)
        async with self.pool.acquire() as connection, connection.transaction():
            await self._handle(Work(connection, [self.received(message) for message in messages], self.clock.now()))
        return [outgoing.message for outgoing in self.said[before:]]

    async def pass_by(self, seconds: float) -> list[Message]:
        """Move the clock and fire what is due then."""
        self.clock.pass_by(seconds)
        before = len(self.said)
        while await firing.fire_due(self.processing, self.pool, self.processing.log, LookBack()) == 0.0:
            pass
        return [outgoing.message for outgoing in self.said[before:]]

    async def until_quiet(self, end: datetime) -> list[Message]:
        """Fire each timer at its very moment until ``end``."""
        before = len(self.said)
        while (due := await self.next_timer()) is not None and due <= end:
            await self.pass_by(max((due - self.clock.moment).total_seconds(), 0))
        self.clock.moment = end
        return [outgoing.message for outgoing in self.said[before:]]

    async def next_timer(self) -> datetime | None:
        """Return when the next timer is due."""
        moment: datetime | None = await self.pool.fetchval("SELECT min(due_at) FROM timers")
        return moment

    async def count(self, table: str) -> int:
        """Return how many rows a table of followup has."""
        counts = {
            "timers": "SELECT count(*) FROM timers",
            "cases": "SELECT count(*) FROM cases",
            "handles": "SELECT count(*) FROM handles",
            "greetings": "SELECT count(*) FROM greetings",
            "parked": "SELECT count(*) FROM parked",
        }
        return int(await self.pool.fetchval(counts[table]))

    async def version(self, case_id: UUID) -> int:
        """Return the last version followup has of a case."""
        return int(await self.pool.fetchval("SELECT version FROM cases WHERE case_id = $1", case_id))

    def received(self, message: Message) -> Received:
        """Return a message as the runtime hands it over."""
        self.heard += 1
        identity = derived_id(message.key(), message.type, self.heard)
        return Received(
            message=SERVICE.reads.get(type(message), type(message)).read(message.value()),
            message_id=identity,
            ce_id=str(identity),
            source="caseloop/test",
            type=message.type,
            time=self.clock.now(),
            traceparent=None,
            topic=message.topic_name(),
            partition=0,
            offset=self.heard,
            key=message.key(),
        )

    async def _handle(self, work: Work) -> Sequence[Outgoing]:
        outgoing = await self.handler(work)
        self.said += outgoing
        self.idle += [each.type for each in work.received if id(each) in work.idle]
        return outgoing


@asynccontextmanager
async def a_stand(database: str, policy: Policy = STANDARD) -> AsyncIterator[Stand]:
    """Give followup on a database of its own."""
    connection = await asyncpg.connect(database)
    await migrate(connection, "followup")
    await connection.close()
    async with open_pool(settings_for(database, "localhost:9092"), "followup") as pool:
        yield Stand(pool, SettableClock(MONDAY), policy)


class Journal(Story):
    """A story that is only written down, for followup to hear."""

    def open(self, **facts: Any) -> CaseOpened:  # noqa: ANN401 - any part of a case
        return a_case(self.event(CaseOpened, state="queued", supervisor_needed=False, by=SYSTEM), facts)

    def tell(self, kind: type[CaseEvent], **fields: Any) -> CaseEvent:  # noqa: ANN401 - any part of an event
        event: CaseEvent = self.event(kind, **({"state": "assigned", "by": AGENT} | fields))
        return event


def a_journal(number: int = 0) -> Journal:
    return Journal(derived_id("followup", number))


def contact(kind: type[Any], **fields: Any) -> Any:  # noqa: ANN401 - any contact
    return example(kind).model_copy(update={"occurred_at": MONDAY, "survey_answer": None} | fields)
