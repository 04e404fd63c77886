"""What do tests of notify stand on: its tables, its handler and dispatcher, and the provider double as a process?"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from contracts.message import Message, derived_id
from contracts.notify import Notification
from contracts.policy import Policy
from contracts.registry import MESSAGES
from services.notify.app import SERVICE
from services.notify.handlers import handler_of
from services.notify.handlers.dispatch import dispatch
from services.notify.settings import NotifySettings
from services.runtime.clock import Clock, SystemClock
from services.runtime.context import ServiceContext
from services.runtime.database import Connection, open_pool
from services.runtime.frames import Frame, unpack
from services.runtime.logs import Log
from services.runtime.looking import DueEvent
from services.runtime.migrations import migrate
from services.runtime.partitioning import Place
from services.runtime.publishing import Published
from services.runtime.work import Handler, Outgoing, Received, Work
from tests.unit.notify.story import POLICY

AWAKE: Policy = POLICY.model_copy(
    update={"messages": POLICY.messages.model_copy(update={"quiet_hours": None})},
)
"""The standard without quiet hours: a test may run at night."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"  # noqa: S105 - guards this test only
DEADLINE_SECONDS = 20.0


@dataclass(slots=True)
class Recorder:
    """A publisher that remembers; with a problem it publishes nothing."""

    frames: list[Frame] = field(default_factory=list)
    problem: str | None = None

    async def publish(
        self, rows: Mapping[int, Iterable[Frame]], within_seconds: float, held: Collection[Place] = ()
    ) -> Published:
        assert within_seconds > 0
        assert not held
        await asyncio.sleep(0)
        if self.problem is not None:
            return Published((), self.problem)
        self.frames += [frame for frames in rows.values() for frame in frames]
        return Published(list(rows))


@dataclass(slots=True)
class MovedClock:
    """A clock that shows what a test says."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass(slots=True)
class Stand:
    """notify without Kafka: what it is told comes from the test, what it says lies in its outbox."""

    context: ServiceContext
    handler: Handler
    queued: DueEvent
    recorder: Recorder
    idle: list[str] = field(default_factory=list)
    """The types of what changed nothing, as the handler said."""

    async def hear(self, *messages: Message, cause: str = "") -> None:
        """Let the handler take these messages in as one batch, as far as notify reads them."""
        heard = [received(message, f"{cause}{place}") for place, message in enumerate(messages)]
        after_commit: list[Callable[[], None]] = []

        async def handle(connection: Connection, now: datetime) -> Sequence[Outgoing]:
            work = Work(connection, heard, now)
            said = await self.handler(work)
            after_commit[:] = work.after_commit
            self.idle += [each.type for each in heard if id(each) in work.idle]
            return said

        await self.context.transact(handle)
        for tell in after_commit:
            tell()

    async def said(self) -> list[Message]:
        """Return all that notify has said so far, in order."""
        rows = await self.context.pool.fetch("SELECT frames FROM outbox ORDER BY id")
        frames = [frame for row in rows for frame in unpack(row["frames"])]
        kinds = [MESSAGES[dict(frame.headers)["ce_type"].decode()] for frame in frames]
        return [kind.read(frame.value) for kind, frame in zip(kinds, frames, strict=True)]

    async def names(self) -> list[str]:
        """Return the names of what was said about deliveries: ``sent``, ``delivered`` ..."""
        return [message.type.split(".")[-2] for message in await self.said() if isinstance(message, Notification)]

    async def states(self) -> list[str]:
        """Return the states of all deliveries."""
        return [row["state"] for row in await self.context.pool.fetch("SELECT state FROM deliveries ORDER BY 1")]

    async def until_states(self, *states: str) -> None:
        """Wait until the deliveries are in exactly these states."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.states() != sorted(states):  # noqa: ASYNC110 - the fact lies in the database
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def dispatching(self) -> AsyncIterator[None]:
        """Let a dispatcher run, then stop it in good order."""
        self.context.stopping.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatch(self.context, self.queued))
            yield
            self.context.stopping.set()
            self.queued.set()


def received(message: Message, discriminator: str) -> Received:
    ce_id = derived_id("heard", message.type, message.value(), discriminator)
    part = SERVICE.reads.get(type(message), type(message)).read(message.value())
    return Received(
        part, ce_id, str(ce_id), "caseloop/test", message.type, datetime(2026, 11, 2, tzinfo=UTC),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", message.topic_name(), 0, 0, message.key(),
    )  # fmt: skip


@asynccontextmanager
async def standing(
    dsn: str,
    sms_url: str | None = None,
    *,
    policy: Policy = AWAKE,
    clock: Clock | None = None,
    **settings: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[Stand]:
    """Give notify on this database, impatient enough for tests."""
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, "notify")
    finally:
        await connection.close()
    given = NotifySettings.model_validate({
        "kafka_bootstrap": "localhost:1", "postgres_dsn": dsn, "sms_url": sms_url, "provider_secret": SECRET,
        "sms_timeout_seconds": 0.4, "sms_lease_seconds": 1.0, "sms_lookup_seconds": 0.05,
        "sms_retry_seconds_first": 0.05, "sms_calls_max": 16,
    } | settings)  # fmt: skip
    async with open_pool(given, "notify") as pool:
        recorder, queued = Recorder(), DueEvent()
        context = ServiceContext(
            service="notify", settings=given, pool=pool, policy=policy, clock=clock or SystemClock(),
            log=Log("notify", "error"), publisher=recorder, stopping=asyncio.Event(),
        )  # fmt: skip
        yield Stand(context, handler_of(policy, queued), queued, recorder)


@dataclass(slots=True)
class Provider:
    """The provider double of this test."""

    url: str
    http: httpx.AsyncClient

    async def behave(self, **behaviour: Any) -> None:  # noqa: ANN401 - as the double understands it
        """Behave so from now on."""
        (await self.http.post("/behaviour", json=behaviour)).raise_for_status()

    async def accepted(self) -> list[dict[str, str]]:
        """Return what the double accepted."""
        messages: list[dict[str, str]] = (await self.http.get("/messages")).json()["messages"]
        return messages


@asynccontextmanager
async def a_provider(folder: Path, *options: str) -> AsyncIterator[Provider]:
    """Start the double as a process of its own, as ``caseloop up`` does."""
    secret = folder / "secret"
    secret.write_text(SECRET, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local.sms", "--port", "0", "--secret-file", str(secret), *options,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            announced = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient(base_url=announced["url"], trust_env=False) as http:
            yield Provider(announced["url"], http)
    finally:
        process.terminate()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await process.wait()


def later(seconds: float) -> datetime:
    """Return a moment from now on."""
    return SystemClock().now() + timedelta(seconds=seconds)
