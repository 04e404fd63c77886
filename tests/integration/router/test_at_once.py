"""Does a batch of messages give what it has opened to whoever is free, in its own transaction and without waiting?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from asyncpg.connection import LoggedQuery

from contracts.channel import Capacity
from contracts.message import Message
from contracts.router import CaseAssigned, CaseOpened, CaseReleased
from services.router.bell import Bell
from services.router.handlers import rounds, sweeps
from services.router.handlers.messages import handler
from services.router.storage import bodies, queues
from services.router.storage.agents import Everybody, UnreadableAgentError
from services.router.storage.cases import INSERT, LOAD_FREE, UPDATE
from services.runtime.work import Outgoing, Work
from tests.integration.router.conftest import Router
from tests.support.driver import DEPARTMENTS
from tests.unit.router.given import a_classification, a_profile, case_id_of, presence, proposed, received, words

DEPARTMENT = "technical_support"
DEADLINE_SECONDS = 5.0
ONE = Capacity(total=1, chat=1)


@dataclass
class Process:
    """One replica's handler, with what it remembers of the agents and the bell that it rings."""

    router: Router
    bell: Bell = field(default_factory=Bell)
    agents: Everybody = field(default_factory=Everybody)
    number: int = 0

    async def tell(self, *messages: Message, fails: bool = False) -> Sequence[Outgoing]:
        """Hand these over as one batch; it is rolled back if it is to fail."""
        batch = [received(each, self.number + place) for place, each in enumerate(messages)]
        self.number += len(batch)
        async with asyncio.timeout(DEADLINE_SECONDS), self.router.pool.acquire() as connection:
            work = Work(connection, batch, self.router.now)
            transaction = connection.transaction()
            await transaction.start()
            said = await handler(self.router.policy, self.bell, self.agents)(work)
            if fails:
                await transaction.rollback()
                return said
            await transaction.commit()
            for tell in work.after_commit:
                tell()
        return said


@pytest.fixture
async def process(router: Router) -> Process:
    """Return a replica whose queues can be matched."""
    async with router.pool.acquire() as connection, connection.transaction():
        await queues.prepare(connection, DEPARTMENTS)
    return Process(router)


def assigned(said: Sequence[Outgoing]) -> list[tuple[str, str]]:
    """Return which case went to whom."""
    return [(str(e.message.case_id), e.message.agent_id) for e in said if isinstance(e.message, CaseAssigned)]


async def test_a_case_is_opened_and_assigned_at_once(process: Process) -> None:
    await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    process.bell.take()
    said = await process.tell(words(demands=(proposed(),)))
    assert [type(each.message) for each in said] == [CaseOpened, CaseAssigned]
    assert (await process.router.case(case_id_of("first"))).agent_id == "a-1"
    assert process.bell.take() == set()
    assert await process.router.loads_by_cases() == {"a-1": 1}


async def test_its_row_says_for_how_long_it_may_lie_idle(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "SWEEP_MAX", 1)
    router = process.router
    await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await process.tell(words(demands=(proposed(),)))
    router.wait(60)
    await process.tell(words("grave", demands=(proposed("grave", classification=a_classification("urgent")),)))
    router.wait(router.policy.routing.idle_seconds["urgent"])
    [released] = await router.sweep()
    assert isinstance(released.message, CaseReleased)
    assert released.message.case_id == case_id_of("grave")


async def test_what_it_opens_is_written_once_and_only_others_are_read_and_locked(process: Process) -> None:
    """Those who waited before and those whom it has just opened are given in one round."""
    await process.tell(words(demands=(proposed(),)))
    batch = [a_profile(auto_accept=True), presence("a-1", "available"), words("next", demands=(proposed("second"),))]
    statements: list[LoggedQuery] = []
    async with process.router.pool.acquire() as connection, connection.transaction():
        with connection.query_logger(statements.append):
            received_now = [received(each, number) for number, each in enumerate(batch, 9)]
            said = await handler(process.router.policy, process.bell, process.agents)(
                Work(connection, received_now, process.router.now)
            )
    assert [case_id for case_id, _ in assigned(said)] == [str(case_id_of(name)) for name in ("first", "second")]
    taken = {name: [each.args[0] for each in statements if each.query == name] for name in (LOAD_FREE, INSERT, UPDATE)}
    assert taken == {
        LOAD_FREE: [[case_id_of("first")]],
        INSERT: [[case_id_of("second")]],
        UPDATE: [[case_id_of("first")]],
    }
    assert await process.router.loads_by_cases() == {"a-1": 2}


async def test_a_case_without_a_row_stands_where_it_would_with_one(process: Process) -> None:
    router, policy = process.router, process.router.policy.routing
    said = [
        *await process.tell(words("one", demands=(proposed("a", skills={"payments": 3, "network": 1}),))),
        *await process.tell(words("two", demands=(proposed("b"),)), words("three", demands=(proposed("c"),))),
    ]
    traces = {e.message.case_id: e.cause.traceparent for e in said if isinstance(e.message, CaseOpened) and e.cause}
    router.wait(4000)
    async with router.pool.acquire() as connection:
        heads = await queues.waiting(connection, [queues.Look(DEPARTMENT, 10, own=True)], router.now, policy)
    cases = [await router.case(each.waiting.case_id) for each in heads.first]
    assert len(cases) == len(traces) == 3
    assert heads.first == [queues.opened(case, router.now, policy, traces[case.case_id]) for case in cases]


async def test_who_has_just_come_is_not_given_before_those_whom_nobody_has_looked_at(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them may be fit for whoever is free; the matcher looks farther."""
    monkeypatch.setattr(rounds, "LOOK_FIRST_MAX", 2)
    await process.tell(
        a_profile("a-2", skills={"payments": 3}),
        presence("a-2", "busy"),
        *(words(f"w{n}", demands=(proposed(f"d{n}", skills={"payments": 3}),)) for n in range(2)),
    )
    process.router.wait(1)
    await process.tell(words("unseen", demands=(proposed("unseen"),)))
    process.router.wait(1)
    process.bell.take()
    said = await process.tell(
        a_profile(auto_accept=True, skills={}), presence("a-1", "available"), words("last", demands=(proposed("last"),))
    )
    assert assigned(said) == []
    assert process.bell.take() == {DEPARTMENT}
    assert (await process.router.case(case_id_of("last"))).state == "queued"
    await process.router.match(limit=500)
    assert (await process.router.case(case_id_of("unseen"))).agent_id == "a-1"


async def test_who_comes_is_given_what_waits(process: Process) -> None:
    await process.tell(words(demands=(proposed(),)))
    said = await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    assert assigned(said) == [(str(case_id_of("first")), "a-1")]


async def test_it_remembers_the_agents_as_it_left_them(process: Process) -> None:
    """A row that one transaction writes twice has the same writer both times, and was looked at in between."""
    await process.tell(words(demands=(proposed(),)))
    await process.tell(a_profile(auto_accept=True, capacity=ONE), presence("a-1", "available"))
    await process.tell(words("next", demands=(proposed("second"),)))
    assert not process.agents.room
    assert (await process.router.case(case_id_of("second"))).state == "queued"


async def test_what_was_rolled_back_is_forgotten(process: Process) -> None:
    """The next write of the row, by whomever, has the same version as the one that is gone."""
    await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await process.tell(presence("a-1", "offline"), fails=True)
    assert not process.agents.room
    await Process(process.router).tell(presence("a-1", "available"))
    said = await process.tell(words(demands=(proposed(),)))
    assert assigned(said) == [(str(case_id_of("first")), "a-1")]


@pytest.mark.parametrize(
    "lock",
    ["SELECT FROM matchers FOR UPDATE", "SELECT FROM agents WHERE agent_id = 'a-1' FOR UPDATE"],
)
async def test_it_waits_for_nobody_s_lock_and_looks_again(process: Process, lock: str) -> None:
    await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    process.bell.take()
    async with process.router.pool.acquire() as other, other.transaction():
        await other.execute(lock)
        said = await process.tell(words(demands=(proposed(),)))
    assert [type(each.message) for each in said] == [CaseOpened]
    assert (await process.router.case(case_id_of("first"))).state == "queued"
    assert process.bell.take() == {DEPARTMENT}
    assert (await process.router.match()).matched == 1


@pytest.mark.parametrize("column", ["body", "needs"])
async def test_a_spoilt_case_in_the_queue_is_left_to_a_round_of_its_own(process: Process, column: str) -> None:
    await process.tell(words("old", demands=(proposed("spoilt"),)))
    spoil = f"UPDATE cases SET {column} = '{{}}'"  # noqa: S608 - one of two columns
    await process.router.pool.execute(spoil)
    said = await process.tell(
        a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed("sound"),))
    )
    assert CaseOpened in {type(each.message) for each in said}
    assert (await process.router.case(case_id_of("sound"))).state == "queued"
    assert process.bell.take() == {DEPARTMENT}


async def test_a_case_that_would_grow_too_large_is_left_to_a_round_of_its_own(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.tell(words("old", demands=(proposed("large"),)))
    size = len(await process.router.pool.fetchval("SELECT body FROM cases"))
    monkeypatch.setattr(bodies, "BODY_BYTES_MAX", size)
    await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    assert (await process.router.case(case_id_of("large"))).state == "queued"
    assert process.bell.take() == {DEPARTMENT}


async def test_it_says_nothing_earlier_than_what_it_has_seen(process: Process) -> None:
    """A turn that began before another committed sees what that one has stored."""
    began = process.router.now
    process.router.wait(2)
    await process.tell(words(demands=(proposed(),)))
    process.router.now = began
    said = await process.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    (given,) = [each.message for each in said if isinstance(each.message, CaseAssigned)]
    assert given.occurred_at == began + timedelta(seconds=2)


async def test_a_look_that_breaks_off_leaves_nobody_freed_who_has_no_room(process: Process) -> None:
    """Another round with the same memory may be under way."""
    for agent_id in ("a-1", "a-2"):
        await process.tell(a_profile(agent_id, auto_accept=True), presence(agent_id, "available"))
    agents = Everybody()
    async with process.router.pool.acquire() as connection:
        await agents.look(connection)
        assert agents.freed == {"a-1", "a-2"}
        await process.tell(presence("a-1", "busy"))
        await connection.execute("UPDATE agents SET profile = '\\x00', version = version + 1 WHERE agent_id = 'a-2'")
        with pytest.raises(UnreadableAgentError):
            await agents.look(connection)
    assert agents.freed <= agents.room.keys()


async def test_it_rings_when_more_waits_than_one_round_decides(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "DECISIONS_MAX", 2)
    many = Capacity(total=9, chat=9)
    await process.tell(a_profile(auto_accept=True, capacity=many), presence("a-1", "available"))
    process.bell.take()
    said = await process.tell(*(words(f"w{n}", demands=(proposed(f"d{n}"),)) for n in range(3)))
    assert len(assigned(said)) == 2
    assert process.bell.take() == {DEPARTMENT}


async def test_it_rings_once_for_who_is_freer_and_fit_for_nothing_at_the_head(process: Process) -> None:
    await process.tell(
        *(words(f"w{n}", demands=(proposed(f"d{n}", skills={"payments": 3}),)) for n in range(rounds.LOOK_FIRST_MAX)),
        a_profile("a-2", skills={"payments": 3}),
        presence("a-2", "busy"),
    )
    process.bell.take()
    await process.tell(a_profile(skills={"network": 3}), presence("a-1", "available"))
    assert process.bell.take() == {DEPARTMENT}
    await process.tell(words("more", demands=(proposed("more", skills={"payments": 3}),)))
    assert process.bell.take() == set()
