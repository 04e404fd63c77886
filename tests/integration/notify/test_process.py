"""Does the service as a process, on real Kafka and PostgreSQL, tell a milestone once, through its own death?"""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from contracts.message import derived_id
from contracts.notify import NotificationDelivered, NotificationSent
from services.runtime import kafka
from services.runtime.migrations import migrate
from services.runtime.outbox import framed
from services.runtime.settings import STANDARD_POLICY, Settings
from services.runtime.tracing import UNTRACED
from services.runtime.work import Outgoing
from tests.integration.notify.stand import SECRET, Provider, a_provider
from tests.integration.notify.test_dispatching import case
from tests.support.floor import Seen, reading, settings_for, until
from tests.support.processes import Process, environment, publish

AWAKE = f"""
extends = "{STANDARD_POLICY}"
name = "awake"

[messages]
quiet_hours = {{ start = "00:00", end = "00:00" }}
"""


@pytest.fixture
async def settings(postgres_database: str, kafka_bootstrap: str) -> Settings:
    made = settings_for(postgres_database, kafka_bootstrap)
    await kafka.create_topics(made)
    connection = await asyncpg.connect(postgres_database)
    try:
        await migrate(connection, "notify")
    finally:
        await connection.close()
    return made


@asynccontextmanager
async def notify(settings: Settings, provider: Provider, folder: Path) -> AsyncIterator[Process]:
    """Run the service and tell the provider where its receipts go."""
    pack, announced = folder / "awake.toml", folder / f"{secrets.token_hex(4)}.json"
    pack.write_text(AWAKE, "utf-8")
    told = environment(
        settings,
        CASELOOP_POLICY=str(pack),
        CASELOOP_ANNOUNCE_FILE=str(announced),
        CASELOOP_NOTIFY_SMS_URL=provider.url,
        CASELOOP_NOTIFY_PROVIDER_SECRET=SECRET,
        CASELOOP_NOTIFY_SMS_TIMEOUT_SECONDS="5",
        CASELOOP_NOTIFY_SMS_LEASE_SECONDS="6",
        CASELOOP_START_WAIT_SECONDS="10",
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notify", env=told, cwd=STANDARD_POLICY.parents[2],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        made = Process(process, announced)
        await until(made.is_announced)
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def tell(settings: Settings, number: int) -> None:
    """Say as the router that a milestone of a new case was reached."""
    events = case(number)
    said = [Outgoing(event, derived_id("told", number, event.version)) for event in events]
    await publish(settings, *(framed("caseloop/router", each, events[0].occurred_at, UNTRACED) for each in said))


def kinds(seen: Seen) -> list[str]:
    return sorted(dict(record.headers)["ce_type"].decode() for record in seen.records)


async def test_from_the_journal_to_the_receipt_and_through_kill_9(settings: Settings, tmp_path: Path) -> None:
    async with a_provider(tmp_path) as provider, reading(settings, "notifications") as read_until:
        async with notify(settings, provider, tmp_path) as running:
            await provider.behave(receipts_url=f"{running.http}/providers/sms/receipts")
            await tell(settings, 1)
            seen = await read_until(lambda seen: len(seen.records) >= 2)
            assert kinds(seen) == [NotificationDelivered.type, NotificationSent.type]
            await provider.behave(accept_then_hang=True, receipts="none")
            await tell(settings, 2)
            await until(lambda: two_accepted(provider))
            os.kill(running.process.pid, 9)
        await provider.behave(receipts="none")
        async with notify(settings, provider, tmp_path):
            seen = await read_until(lambda seen: len(seen.records) >= 3)
    assert kinds(seen)[1:] == [NotificationSent.type] * 2
    messages = [NotificationSent.read(record.value) for record in seen.records if b"sent" in record.headers[3][1]]
    assert len({message.delivery_id for message in messages}) == 2


async def two_accepted(provider: Provider) -> bool:
    accepted = [each["client_reference"] for each in await provider.accepted()]
    assert len(accepted) == len(set(accepted)) <= 2
    return len(accepted) == 2
