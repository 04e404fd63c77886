"""What if somebody holds the lock of a case that waits in a queue: do the others find their agents?"""

from contracts.channel import Capacity
from tests.integration.router.conftest import Router
from tests.unit.router.given import a_profile, case_id_of, presence, proposed, words


async def test_a_locked_case_is_left_out_of_a_round_and_of_a_sweep(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    for name in ("locked", "free"):
        await router.tell(words(name, demands=(proposed(name),)))
        router.wait(1)
    async with router.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM cases WHERE case_id = $1 FOR UPDATE", case_id_of("locked"))
        found = await router.match()
        assert (found.matched, found.again) == (1, frozenset())
        router.wait(3600)
        await router.sweep()
    assert [(await router.case(case_id_of(name))).state for name in ("locked", "free")] == ["queued", "assigned"]
    await router.match()
    assert (await router.case(case_id_of("locked"))).state == "assigned"


async def test_an_agent_for_whom_the_first_choice_is_locked_gets_the_second(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True, capacity=Capacity(total=1, chat=1)), presence("a-1", "available"))
    for name in ("locked", "free"):
        await router.tell(words(name, demands=(proposed(name),)))
        router.wait(1)
    async with router.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM cases WHERE case_id = $1 FOR UPDATE", case_id_of("locked"))
        await router.match()
    assert [(await router.case(case_id_of(name))).state for name in ("locked", "free")] == ["queued", "assigned"]
