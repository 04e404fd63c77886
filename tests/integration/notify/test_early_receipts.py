"""Is a receipt that arrives while its reference is being stored ever missed by both?

Its transaction and that of the record of the call see nothing of each other before they commit.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.notify.app import SERVICE
from services.notify.domain.outcomes import Accepted
from services.notify.handlers.recording import record
from services.notify.settings import NotifySettings
from services.notify.storage import leases
from services.notify.storage.leases import Lease
from services.runtime.database import Connection
from services.runtime.front import front_loops
from services.runtime.work import Work
from tests.integration.notify.stand import DEADLINE_SECONDS, Stand, received, standing
from tests.integration.notify.test_dispatching import case
from tests.integration.notify.test_receipts import report
from tests.support.floor import until

EARLY = report("delivered")
KEPT = "INSERT INTO early_receipts (provider, provider_ref, status, received_at) VALUES ('sms', $1, 'delivered', $2)"


@pytest.fixture
async def notify(postgres_database: str) -> AsyncIterator[Stand]:
    async with standing(postgres_database) as stand:
        await stand.hear(*case())
        yield stand


async def in_hand(notify: Stand) -> Lease:
    now = notify.context.clock.now()
    [lease] = await leases.take(notify.context.pool, now, now + timedelta(minutes=1), 1)
    return lease


async def record_it(notify: Stand, lease: Lease, connection: Connection) -> None:
    settings, now = notify.context.settings_as(NotifySettings), notify.context.clock.now()
    await record([(lease, Accepted("p-1"))], settings, notify.context.policy, connection, now)


async def ended_or_waiting(notify: Stand, task: asyncio.Task[None]) -> None:
    """Wait until the rival has done what it can do before we commit."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not task.done():
            if await notify.context.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
            await asyncio.sleep(0.01)


async def test_a_receipt_that_comes_before_the_record_is_committed_is_not_lost(notify: Stand) -> None:
    lease = await in_hand(notify)
    async with asyncio.TaskGroup() as tasks, notify.context.pool.acquire() as connection, connection.transaction():
        await record_it(notify, lease, connection)
        await ended_or_waiting(notify, tasks.create_task(notify.hear(EARLY)))

    assert await notify.states() == ["delivered"]


async def test_a_record_that_comes_before_the_receipt_is_committed_finds_it(notify: Stand) -> None:
    lease = await in_hand(notify)

    async def recording() -> None:
        async with notify.context.pool.acquire() as connection, connection.transaction():
            await record_it(notify, lease, connection)

    async with asyncio.TaskGroup() as tasks, notify.context.pool.acquire() as connection, connection.transaction():
        await notify.handler(Work(connection, [received(EARLY, "early")], notify.context.clock.now()))
        await ended_or_waiting(notify, tasks.create_task(recording()))

    assert await notify.states() == ["delivered"]


async def test_receipts_of_messages_that_never_were_ours_are_forgotten_in_time(notify: Stand) -> None:
    context, stopping = notify.context, asyncio.Event()
    days = context.settings.inbox_retention_days + 1

    async def only_the_young_one_is_kept() -> bool:
        rows = await context.pool.fetch("SELECT provider_ref FROM early_receipts")
        return [row["provider_ref"] for row in rows] == ["young"]

    for ref, age in (("young", timedelta(days=days, minutes=-1)), ("old", timedelta(days=days, minutes=1))):
        await context.pool.execute(KEPT, ref, context.clock.now() - age)
    async with asyncio.TaskGroup() as group:
        group.create_task(front_loops(SERVICE, context)["retirement"](stopping))
        await until(only_the_young_one_is_kept)
        stopping.set()
