"""Is the latest state of a case told, always the latest and seldom more often than it must be?"""

import asyncio

import pytest
from pydantic import SecretStr

from contracts import desk
from contracts.message import derived_id
from contracts.router import CaseSnapshot
from contracts.topics import RECORD_BYTES_MAX
from services.router.domain.case import Case
from services.router.handlers.snapshots import ROUND_MAX, snapshots_loop, tell_latest
from services.router.storage import bodies
from services.runtime.context import ServiceContext
from services.runtime.errors import MessageTooLargeError
from services.runtime.frames import unpack
from services.runtime.settings import Settings
from services.runtime.work import Outgoing
from tests.integration.router.conftest import LOG, FixedClock, Router
from tests.integration.router.test_matcher import Mute
from tests.unit.router.given import a_case, a_profile, case_id_of, command, later, presence, proposed, words

CASE = case_id_of("first")


def versions(said: list[Outgoing]) -> list[int]:
    """Return the versions that these snapshots tell."""
    return [CaseSnapshot.model_validate_json(each.value or b"").version for each in said]


async def test_many_changes_are_one_snapshot_that_tells_the_case_as_it_is(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await router.tell(words(demands=(proposed(facts={"error_code": "ERR-500"}),)))
    await router.match()
    await router.tell(command(desk.ReachMilestone, milestone="fix_deployed"))
    await router.tell(command(desk.MakePromise, promise_id=derived_id("promise"), what="a call", due_at=later(7200)))
    assert await router.tell_latest() == []
    router.wait(3)
    (said,) = await router.tell_latest()

    told, case = CaseSnapshot.model_validate_json(said.value or b""), await router.case(CASE)
    assert (said.message.key(), said.message.subject()) == (str(CASE), str(CASE))
    assert told.version == case.version == 4
    assert told.policy == router.policy.ref
    assert [each.state for each in told.promises] == ["open"]
    shared = told.model_dump().keys() & case.model_dump().keys() - {"promises", "offer"}
    assert {name: getattr(told, name) for name in shared} == {name: getattr(case, name) for name in shared}
    assert await router.tell_latest() == []


async def test_an_offer_is_told_without_what_only_the_router_knows(router: Router) -> None:
    await router.tell(a_profile(), presence("a-1", "available"), words(demands=(proposed(),)))
    await router.match()
    router.wait(3)
    (said,) = await router.tell_latest()
    told = CaseSnapshot.model_validate_json(said.value or b"")
    assert told.offer is not None
    assert told.offer.agent_id == "a-1"


async def test_what_a_transaction_has_in_hand_is_told_after_its_commit(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    router.wait(3)
    async with router.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("SELECT FROM cases WHERE case_id = $1 FOR UPDATE", CASE)
            assert await router.tell_latest() == []
        assert versions(await router.tell_latest()) == [1]
    await router.tell(command(desk.RecordFacts, facts={"order_no": "A1"}))
    assert await router.tell_latest() == []
    router.wait(3)
    assert versions(await router.tell_latest()) == [2]


async def test_a_round_that_was_rolled_back_is_told_again(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    router.wait(3)
    async with router.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert versions((await tell_latest(connection, router.now, router.policy))[0]) == [1]
        await transaction.rollback()
    assert versions(await router.tell_latest()) == [1]


async def test_rounds_of_two_replicas_tell_each_case_once(router: Router) -> None:
    number = ROUND_MAX // 10
    await router.tell(*(words(f"w{each}", demands=(proposed(f"d{each}"),)) for each in range(number)))
    router.wait(3)
    rounds = await asyncio.gather(router.tell_latest(), router.tell_latest())
    keys = [each.message.key() for said in rounds for each in said]
    keys += [each.message.key() for each in await router.tell_latest()]
    assert len(keys) == len(set(keys)) == number


async def test_the_loop_puts_snapshots_into_the_outbox_and_stops(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    router.wait(3)
    await until_told(router)
    (row,) = await router.pool.fetch("SELECT frames FROM outbox")
    assert [frame.topic for frame in unpack(row["frames"])] == ["case.snapshots"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"version": 1, "promises": [1]}'])
async def test_a_case_that_cannot_be_read_holds_no_other_up(router: Router, body: bytes) -> None:
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    router.wait(3)
    await router.pool.execute("UPDATE cases SET body = $2 WHERE case_id = $1", CASE, body)
    await until_told(router)
    (row,) = await router.pool.fetch("SELECT frames FROM outbox")
    assert [frame.key for frame in unpack(row["frames"])] == [str(case_id_of("second")).encode()]
    assert await router.pool.fetch("SELECT FROM snapshots_due") == []


async def until_told(router: Router) -> None:
    """Run the loop until it has told something, and stop it."""
    settings = Settings(kafka_bootstrap="127.0.0.1:9", postgres_dsn=SecretStr("postgresql://unused"))
    context = ServiceContext(
        service="router",
        settings=settings,
        pool=router.pool,
        policy=router.policy,
        clock=FixedClock(router.now),
        log=LOG,
        publisher=Mute(),
        stopping=asyncio.Event(),
    )
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(snapshots_loop(context))
        await context.outbox_wake.wait()
        context.stopping.set()


async def test_a_kept_case_is_what_its_row_says(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await router.tell(words(demands=(proposed(facts={"error_code": "ERR-500"}),)))
    await router.match()
    await router.tell(command(desk.MakePromise, promise_id=derived_id("promise"), what="a call", due_at=later(7200)))
    await router.tell(command(desk.Resolve, resolution="the fix is out"))
    row = await router.pool.fetchrow("SELECT case_id, body FROM cases")
    assert row is not None
    assert bodies.read(row["case_id"], row["body"]) == Case.model_validate_json(row["body"])


async def test_what_was_saved_and_rolled_back_is_not_believed(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    before = await router.case(CASE)
    bodies.write(before.model_copy(update={"state": "spam"}))
    row = await router.pool.fetchrow("SELECT body FROM cases")
    assert row is not None
    assert bodies.read(CASE, row["body"]) == before


def test_a_case_that_no_snapshot_could_hold_is_refused() -> None:
    with pytest.raises(MessageTooLargeError):
        bodies.write(a_case(facts={"what": "x" * RECORD_BYTES_MAX}))
