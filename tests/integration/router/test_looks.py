"""Whom does a round look at, and when is it told to look further?"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from uuid import UUID

from contracts.channel import Capacity
from contracts.router import CaseOffered
from services.router.domain.case import evolve
from services.router.handlers.rounds import LOOK_FIRST_MAX
from services.router.storage import cases, queues
from services.router.storage.queues import Look
from tests.integration.router.conftest import Router
from tests.unit.router.given import a_classification, a_profile, case_id_of, presence, proposed, words

DEPARTMENT = "technical_support"


async def looked(router: Router, look: Look) -> tuple[list[UUID], AbstractSet[str]]:
    """Return who comes of this look, and which queue may be longer."""
    async with router.pool.acquire() as connection:
        heads = await queues.waiting(connection, [look], router.now, router.policy.routing)
    return [each.waiting.case_id for each in heads.first], heads.longer


async def change(router: Router, name: str, changes: Mapping[str, object]) -> None:
    """Store a waiting case with these fields changed."""
    before = await router.case(case_id_of(name))
    async with router.pool.acquire() as connection, connection.transaction():
        after = evolve(before, **changes)
        await cases.save(connection, [after], {after.case_id}, router.policy, {}, router.now)


async def test_where_nobody_is_free_only_those_come_whom_others_may_be_given(router: Router) -> None:
    safe = proposed("safe", classification=a_classification(safety=True))
    await router.tell(words("safe", demands=(safe,)))
    for name in ("own", "supervisor", "plain"):
        await router.tell(words(name, demands=(proposed(name),)))
    await change(router, "own", {"preferred_agent_id": "a-9"})
    await change(router, "supervisor", {"supervisor_needed": True})
    anywhere = {case_id_of(name) for name in ("safe", "own", "supervisor")}
    everybody = anywhere | {case_id_of("plain")}
    there, longer = await looked(router, Look(DEPARTMENT, 100, own=True))
    assert (set(there), longer) == (everybody, set())
    elsewhere, longer = await looked(router, Look(DEPARTMENT, 100, own=False))
    assert (set(elsewhere), longer) == (anywhere, set())
    overflow = next(step.after_seconds for step in router.policy.routing.steps if step.any_department)
    router.wait(overflow - 1)
    assert set((await looked(router, Look(DEPARTMENT, 100, own=False)))[0]) == anywhere
    router.wait(1)
    assert set((await looked(router, Look(DEPARTMENT, 100, own=False)))[0]) == everybody


async def test_who_was_changed_by_an_older_release_is_looked_for_everywhere(router: Router) -> None:
    await router.tell(words("plain", demands=(proposed("plain"),)))
    elsewhere = Look(DEPARTMENT, 100, own=False)
    assert await looked(router, elsewhere) == ([], set())
    await router.pool.execute("UPDATE cases SET version = version + 1")
    assert await looked(router, elsewhere) == ([case_id_of("plain")], set())


async def test_where_nobody_is_free_a_look_tells_that_the_queue_may_be_longer(router: Router) -> None:
    await router.tell(*(words(f"w{n}", demands=(proposed(f"d{n}"),)) for n in range(5)))
    assert [(len(found), longer) for found, longer in [await looked(router, Look(DEPARTMENT, 4, own=False))]] == [
        (1, frozenset({DEPARTMENT}))
    ]
    assert await looked(router, Look(DEPARTMENT, 6, own=False)) == ([], set())


async def test_who_is_left_over_is_looked_further_for_though_others_were_given_something(router: Router) -> None:
    """Else whoever is suited by nothing at the head would wait for as long as others come and go."""
    one = Capacity(total=1, chat=1)
    await router.tell(a_profile("a-1", skills={"network": 3}, capacity=one), presence("a-1", "available"))
    await router.tell(a_profile("a-2", skills={"payments": 3}, capacity=one), presence("a-2", "available"))
    await router.tell(*(words(f"w{n}", demands=(proposed(f"d{n}", skills={"payments": 3}),)) for n in range(4)))
    router.wait(1)
    await router.tell(words("last", demands=(proposed("last", skills={"network": 3}),)))
    first = await router.match(DEPARTMENT, limit=3)
    assert (first.matched, first.deeper) == (1, frozenset({DEPARTMENT}))
    second = await router.match(DEPARTMENT, limit=301)
    assert [each.message.case_id for each in second.said if isinstance(each.message, CaseOffered)] == [
        case_id_of("last")
    ]
    assert not second.deeper


async def test_the_first_look_sees_who_may_be_given_others_behind_those_who_may_not(router: Router) -> None:
    """Else the case would lose its own agent to what is less urgent in the agent's department."""
    own = [words(f"w{n}", demands=(proposed(f"d{n}"),)) for n in range(40)]
    await router.tell(*own)
    router.wait(1)
    await router.tell(words("own", demands=(proposed("own"),)))
    await change(router, "own", {"preferred_agent_id": "a-9"})
    one = Capacity(total=1, chat=1)
    await router.tell(a_profile("a-9", department="operations", capacity=one), presence("a-9", "available"))
    found = await router.match(DEPARTMENT, limit=LOOK_FIRST_MAX)
    assert [each.message.case_id for each in found.said if isinstance(each.message, CaseOffered)] == [case_id_of("own")]
