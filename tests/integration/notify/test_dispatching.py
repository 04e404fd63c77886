"""Does the provider get each SMS exactly once, whatever goes wrong on the way?"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from contracts.case_number import case_number
from contracts.message import derived_id
from contracts.notify import NotificationSent, NotificationUndelivered, NotificationUnknown
from contracts.router import CaseOpened, MilestoneReached
from services.notify.domain.outcomes import Step
from services.notify.handlers import dispatch
from services.notify.senders.http import open_sender
from services.notify.settings import NotifySettings
from services.notify.storage import leases
from services.runtime.clock import SystemClock
from services.runtime.database import Connection
from services.runtime.work import Outgoing, Work
from tests.integration.notify.stand import Provider, Stand, a_provider, later, received, standing
from tests.unit.notify.story import CASE_ID, PHONE, a, opened


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with a_provider(tmp_path) as double:
        yield double


@pytest.fixture
async def notify(postgres_database: str, provider: Provider) -> AsyncIterator[Stand]:
    async with standing(postgres_database, provider.url) as stand:
        yield stand


def case(number: int = 0) -> tuple[CaseOpened, MilestoneReached]:
    """Return the opening of a case and a milestone of it, now."""
    case_id = derived_id(CASE_ID, number)
    at = SystemClock().now()
    named = {"case_id": case_id, "case_number": case_number(case_id), "occurred_at": at}
    reached = a(MilestoneReached, version=2, state="assigned", milestone="refund_issued", details={}, **named)
    return opened("phone", PHONE).model_copy(update=named), reached


async def references(provider: Provider) -> list[str]:
    return [each["client_reference"] for each in await provider.accepted()]


async def test_a_milestone_reaches_the_provider_once_and_its_case_hears_so(notify: Stand, provider: Provider) -> None:
    first, reached = case()
    async with notify.dispatching():
        await notify.hear(first, reached)
        await notify.hear(first, reached, cause="redelivered")
        await notify.hear(reached.model_copy(update={"version": 3}), cause="said again in the same cycle")
        await notify.until_states("sent")
    [accepted] = await provider.accepted()
    [sent] = await notify.said()
    assert isinstance(sent, NotificationSent)
    assert accepted["to"] == PHONE.value
    assert accepted["text"] == f"The refund for case {first.case_number} has been issued."
    assert (str(sent.delivery_id), sent.provider_ref) == (accepted["client_reference"], accepted["provider_ref"])
    assert (sent.milestone, sent.cause.type, sent.provider) == ("refund_issued", reached.type, "sms")
    rows = await notify.context.pool.fetch("SELECT body FROM deliveries")
    assert [row["body"] for row in rows] == [""]


async def test_what_is_queued_here_is_sent_without_a_look(notify: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LOOK_SECONDS", 3600.0)
    more = 40  # than the dispatcher takes in hand at a time
    async with notify.dispatching():
        await notify.hear(*case())
        await notify.until_states("sent")
        await notify.hear(*(message for number in range(1, more + 1) for message in case(number)))
        await notify.until_states(*["sent"] * (more + 1))


async def test_the_dispatcher_is_woken_when_it_can_see_the_message_and_not_before(notify: Stand) -> None:
    heard = [received(message, "once") for message in case()]
    after_commit: list[Callable[[], None]] = []

    async def handle(connection: Connection, now: datetime) -> Sequence[Outgoing]:
        work = Work(connection, heard, now)
        said = await notify.handler(work)
        assert await connection.fetchval("SELECT state FROM deliveries") == "queued"
        assert not notify.queued.is_set()
        after_commit.extend(work.after_commit)
        return said

    await notify.context.transact(handle)
    for tell in after_commit:
        tell()
    assert notify.queued.is_set()


async def test_an_answer_that_never_comes_is_looked_up_and_not_sent_again(notify: Stand, provider: Provider) -> None:
    await provider.behave(accept_then_hang=True)
    async with notify.dispatching():
        await notify.hear(*case())
        await notify.until_states("sent")
    assert await notify.names() == ["unknown", "sent"]
    assert len(await provider.accepted()) == 1
    [unknown, _] = await notify.said()
    assert isinstance(unknown, NotificationUnknown)
    assert unknown.reason == "timed_out"


async def leased(notify: Stand) -> leases.Lease:
    """Take a delivery as a dispatcher would that dies right after."""
    now = SystemClock().now()
    [lease] = await leases.take(notify.context.pool, now, later(0.05), 10)
    return lease


async def test_a_crash_between_call_and_record_is_looked_up(notify: Stand, provider: Provider) -> None:
    await notify.hear(*case())
    lease = await leased(notify)
    settings = notify.context.settings_as(NotifySettings)
    async with open_sender(settings) as sender:
        assert sender is not None
        await sender.send(lease.delivery_id, lease.recipient, lease.body, lease.traceparent)
    async with notify.dispatching():
        await notify.until_states("sent")
    assert await references(provider) == [str(lease.delivery_id)]
    assert await notify.names() == ["sent"]


async def test_a_crash_before_the_call_is_proven_and_only_then_sent(notify: Stand, provider: Provider) -> None:
    await notify.hear(*case())
    lease = await leased(notify)
    async with notify.dispatching():
        await notify.until_states("sent")
    assert await references(provider) == [str(lease.delivery_id)]
    assert await notify.context.pool.fetchval("SELECT sends FROM deliveries") == 2


async def test_a_lease_that_was_lost_writes_nothing(notify: Stand) -> None:
    await notify.hear(*case())
    stale = await leased(notify)
    [again] = await leases.take(notify.context.pool, stale.expires_at, stale.expires_at, 10)
    assert (again.was, again.attempts) == ("sending", stale.attempts + 1)
    async with notify.context.pool.acquire() as connection, connection.transaction():
        mine = await leases.record(connection, [(stale, Step("failed"))], "sms", SystemClock().now())
    assert mine == set()
    assert await notify.states() == ["unknown"]


async def test_a_storm_of_429_delays_and_loses_nothing(notify: Stand, provider: Provider) -> None:
    await provider.behave(fail_status=429, retry_after_seconds=1)
    count = 40
    async with notify.dispatching():
        for number in range(count):
            await notify.hear(*case(number))
        await notify.until_states(*["queued"] * count)
        assert await provider.accepted() == []
        await provider.behave()
        await notify.until_states(*["sent"] * count)
    accepted = await references(provider)
    assert len(accepted) == len(set(accepted)) == count


async def test_what_the_provider_refuses_fails_with_its_reason(notify: Stand, provider: Provider) -> None:
    await provider.behave(fail_status=422)
    async with notify.dispatching():
        await notify.hear(*case())
        await notify.until_states("failed")
    [failed] = await notify.said()
    assert isinstance(failed, NotificationUndelivered)
    assert (failed.reason, failed.milestone) == ("http_422", "refund_issued")


async def test_a_server_error_proves_nothing_and_is_looked_up_first(notify: Stand, provider: Provider) -> None:
    await provider.behave(fail_status=500)
    async with notify.dispatching():
        await notify.hear(*case())
        async with asyncio.timeout(10):
            while "unknown" not in await notify.names():  # noqa: ASYNC110 - the fact lies in the database
                await asyncio.sleep(0.01)
        await provider.behave()
        await notify.until_states("sent")
    assert len(await provider.accepted()) == 1


async def test_a_provider_that_is_away_is_waited_for(postgres_database: str, tmp_path: Path) -> None:
    async with standing(postgres_database, "http://127.0.0.1:9", sms_sends_max=3) as stand, stand.dispatching():
        await stand.hear(*case())
        await stand.until_states("failed")
        assert await stand.names() == ["deferred", "failed"]


async def test_without_a_provider_it_is_said_that_nothing_goes_out(postgres_database: str) -> None:
    async with standing(postgres_database) as stand, stand.dispatching():
        await stand.hear(*case())
        await stand.until_states("failed")
        [failed] = await stand.said()
        assert isinstance(failed, NotificationUndelivered)
        assert failed.reason == "no_provider"


async def test_two_dispatchers_share_the_work_quickly_and_double_nothing(
    postgres_database: str,
    notify: Stand,
    provider: Provider,
) -> None:
    count = 600
    for first in range(0, count, 100):
        await notify.hear(*(event for number in range(first, first + 100) for event in case(number)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with standing(postgres_database, provider.url) as other, notify.dispatching(), other.dispatching():
        await notify.until_states(*["sent"] * count)
    rate = count / (loop.time() - began)
    accepted = {UUID(reference) for reference in await references(provider)}
    assert len(accepted) == len(await provider.accepted()) == count
    assert (await notify.names()).count("sent") == count
    assert rate > 100, f"{rate:.0f} SMS/s"


async def test_a_provider_with_a_limit_gets_what_it_takes_and_loses_nothing(notify: Stand, provider: Provider) -> None:
    await provider.behave(per_second=60, refused_share=0.01, hanging_share=0.02)
    count = 150
    async with notify.dispatching():
        for number in range(count):
            await notify.hear(*case(number))
        await notify.until_states(*["sent"] * count)
    assert sorted(await references(provider)) == sorted(set(await references(provider)))
    assert len(await references(provider)) == count
    live = (await provider.http.get("/health/live")).json()
    assert live["repeated"] == 0
    offers = await notify.context.pool.fetchval("SELECT sum(sends) FROM deliveries")
    assert offers <= 3 * count
