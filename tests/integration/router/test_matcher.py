"""Does the matcher look when it is rung, when nobody rings, and stop when told?"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from services.router import matcher
from services.router.bell import Bell
from services.router.domain.case import Case
from services.router.handlers import sweeps
from services.router.handlers.rounds import LOOK_MIN, LOOK_PER_PLACE, Round
from services.router.handlers.sweeps import sweep_loop
from services.router.matcher import AGAIN_SECONDS, Matcher
from services.router.storage import bodies
from services.runtime.context import ServiceContext
from services.runtime.frames import Frame, unpack
from services.runtime.partitioning import Place
from services.runtime.publishing import Published
from services.runtime.settings import Settings
from tests.integration.router.conftest import LOG, FixedClock, Router
from tests.unit.router.given import a_profile, case_id_of, presence, proposed, words

DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Mute:
    """A publisher that nobody asks: what the matcher says goes through the outbox."""

    async def publish(
        self,
        rows: Mapping[int, Iterable[Frame]],  # noqa: ARG002 - the protocol
        within_seconds: float,  # noqa: ARG002 - the protocol
        held: Collection[Place] = (),  # noqa: ARG002 - the protocol
    ) -> Published:
        """Refuse."""
        raise AssertionError("the matcher publishes nothing itself")


@asynccontextmanager
async def running(router: Router, bell: Bell) -> AsyncIterator[ServiceContext]:
    """Run a matcher and a sweeper; they must have ended soon after they were told to stop."""
    settings = Settings.model_validate({"kafka_bootstrap": "127.0.0.1:9", "postgres_dsn": "postgresql://unused"})
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
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(Matcher(context, bell).run())
        group.create_task(sweep_loop(context))
        yield context
        context.stopping.set()


async def assigned(router: Router, name: str) -> float:
    """Wait until a case has an agent and return how long that took."""
    return await until(router, name, lambda case: case.state == "assigned")


async def until(router: Router, name: str, looks: Callable[[Case], bool]) -> float:
    """Wait until a case looks so and return how long that took."""
    began = time.perf_counter()
    while not looks(await router.case(case_id_of(name))):
        assert time.perf_counter() - began < DEADLINE_SECONDS
        await asyncio.sleep(0.001)
    return time.perf_counter() - began


async def test_a_ring_is_answered_at_once(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matcher, "IDLE_SECONDS", 2 * DEADLINE_SECONDS)
    bell = Bell()
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    async with running(router, bell):
        for number in range(2):
            await router.tell(words(f"w{number}", demands=(proposed(f"d{number}"),)))
            bell.ring({"technical_support"})
            await assigned(router, f"d{number}")


async def test_what_nobody_rings_for_is_found_soon(router: Router) -> None:
    async with running(router, Bell()):
        await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
        await router.tell(words("silent", demands=(proposed("silent"),)))
        await assigned(router, "silent")
    assert await router.loads_by_cases() == {agent: units for agent, units in (await router.loads()).items() if units}


@pytest.mark.parametrize("column", ["body", "needs"])
async def test_a_case_that_cannot_be_read_holds_no_other_up(router: Router, column: str) -> None:
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    spoil = f"UPDATE cases SET {column} = $2 WHERE case_id = $1"  # noqa: S608 - one of two columns
    await router.pool.execute(spoil, case_id_of("first"), b"{}")
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    async with running(router, Bell()):
        await assigned(router, "second")
    assert await router.pool.fetch("SELECT FROM cases WHERE queue IS NOT NULL") == []


async def test_what_a_case_asks_is_read_however_it_is_written(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    asks = json.loads(await router.pool.fetchval("SELECT needs FROM cases"))
    other = json.dumps({"traceparent": None, **asks, "of_a_newer_release": True}, indent=1).encode()
    await router.pool.execute("UPDATE cases SET needs = $1", other)
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    async with running(router, Bell()):
        await assigned(router, "first")


async def test_a_case_that_has_no_room_for_one_event_more_holds_no_other_up(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    await router.tell(words(demands=(proposed(text="x" * 1000),)))
    monkeypatch.setattr(bodies, "BODY_BYTES_MAX", len(await router.pool.fetchval("SELECT body FROM cases")))
    await router.tell(words("other", demands=(proposed("second"),)))
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    async with running(router, Bell()):
        await assigned(router, "second")
    assert await router.pool.fetch("SELECT FROM cases WHERE queue IS NOT NULL") == []


async def test_a_sweep_goes_round_a_case_that_cannot_be_read(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    await router.match()
    await router.pool.execute("UPDATE cases SET body = $2 WHERE case_id = $1", case_id_of("first"), b"{}")
    held = (await router.case(case_id_of("second"))).version
    router.wait(7 * 86_400)
    async with running(router, Bell()):
        await until(router, "second", lambda case: case.version > held)


async def test_while_there_is_work_that_nobody_touches_every_sweep_looks_for_more(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "SWEEP_MAX", 1)
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    await router.match()
    held = (await router.case(case_id_of("first"))).version, (await router.case(case_id_of("second"))).version
    assert min(router.policy.routing.idle_seconds.values()) / sweeps.IDLE_PART > DEADLINE_SECONDS
    router.wait(7 * 86_400)
    async with running(router, Bell()):
        await until(router, "first", lambda case: case.version > held[0])
        await until(router, "second", lambda case: case.version > held[1])


async def test_a_round_goes_round_an_agent_whose_profile_cannot_be_read_until_it_is_set_anew(router: Router) -> None:
    for agent_id in ("a-1", "a-2"):
        await router.tell(a_profile(agent_id, auto_accept=True), presence(agent_id, "available"))
    await router.pool.execute("UPDATE agents SET profile = '\\x00' WHERE agent_id = 'a-1'")
    await router.tell(words(demands=(proposed(),)))
    async with running(router, Bell()):
        await assigned(router, "first")
    assert (await router.case(case_id_of("first"))).agent_id == "a-2"

    await router.tell(a_profile("a-1", auto_accept=True), presence("a-2", "offline"))
    async with running(router, Bell()):
        await until(router, "first", lambda case: case.agent_id == "a-1")


async def test_what_a_round_says_stands_in_the_outbox_and_wakes_the_relay(router: Router) -> None:
    bell = Bell()
    async with running(router, bell) as context:
        await router.tell(a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed(),)))
        bell.ring({"technical_support"})
        await assigned(router, "first")
        assert context.outbox_wake.is_set()
    rows = await router.pool.fetch("SELECT frames FROM outbox")
    kinds = [dict(frame.headers)["ce_type"] for row in rows for frame in unpack(row["frames"])]
    assert b"caseloop.case.assigned.v1" in kinds


async def test_a_queue_that_another_had_is_not_forgotten_over_a_far_look(router: Router) -> None:
    """It would have to wait for the next look at all queues."""
    here, there = frozenset({"operations"}), frozenset({"technical_support"})
    async with running(router, Bell()) as context:
        matcher = Matcher(context, Bell())
        assert matcher._next(Round((), 0, there, deeper=here), {*here, *there}, 0.0) == (here | there, 0.0)
        turned_away = Round((), 0, here, deeper=frozenset(), missed=here)
        assert matcher._next(turned_away, {*here}, 0.0) == (here, AGAIN_SECONDS)


async def test_a_bell_keeps_names_until_they_are_taken() -> None:
    bell = Bell()
    assert bell.take() == set()
    bell.ring(())
    assert not bell.woken.is_set()
    bell.ring({"operations"})
    assert bell.woken.is_set()
    assert (bell.take(), bell.take(), bell.woken.is_set()) == ({"operations"}, set(), False)


async def test_somebody_free_is_given_a_case_that_stands_far_behind_in_a_long_queue(router: Router) -> None:
    """Whoever stands before it asks for what this agent cannot do, and waits on."""
    await router.tell(a_profile(auto_accept=True, skills={"network": 3}), presence("a-1", "available"))
    behind = LOOK_MIN + LOOK_PER_PLACE * 3 + 1
    await router.tell(
        *(words(f"w{n}", demands=(proposed(f"d{n}", skills={"payments": 3}),)) for n in range(behind)),
        presence("a-2", "busy"),
        a_profile("a-2", skills={"payments": 3}),
    )
    router.wait(1)
    await router.tell(words("last", demands=(proposed("last", skills={"network": 3}),)))
    async with running(router, Bell()):
        await assigned(router, "last")
