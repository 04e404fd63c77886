"""Does a case stay with one agent, and an agent within capacity, when several act at the same time (I7)?"""

import asyncio
from collections import Counter
from datetime import timedelta

from contracts import desk
from contracts.channel import Capacity
from contracts.router import CaseAssigned, CaseOffered, CommandRejected
from contracts.values import Severity
from services.router.domain.matching import Waiting
from services.router.domain.priority import rank, value_at
from services.router.handlers.rounds import DECISIONS_MAX
from services.router.storage import queues
from services.router.storage.queues import Look
from services.runtime.errors import TransientError
from tests.integration.router.conftest import Router, names
from tests.support.driver import DEPARTMENTS
from tests.unit.router.given import (
    NOW,
    a_classification,
    a_profile,
    case_id_of,
    command,
    presence,
    proposed,
    words,
)

CASES = 40
AGENTS = 6


async def crowd(router: Router, *, auto_accept: bool) -> None:
    """Let more cases wait than the agents can take."""
    capacity = Capacity(total=5, chat=5)
    await router.tell(*(a_profile(f"a-{n}", auto_accept=auto_accept, capacity=capacity) for n in range(AGENTS)))
    await router.tell(*(presence(f"a-{n}", "available") for n in range(AGENTS)))
    await router.tell(*(words(f"w{n}", demands=(proposed(f"d{n}"),)) for n in range(CASES)))


async def test_two_matchers_never_give_a_case_twice_or_exceed_a_capacity(router: Router) -> None:
    await crowd(router, auto_accept=True)
    await router.match()
    for _ in range(4):
        await asyncio.gather(*(router.match(limit=7) for _ in range(4)))
    given_cases = Counter(each.message.case_id for each in router.journal if isinstance(each.message, CaseAssigned))
    assert set(given_cases.values()) == {1}
    assert sum(given_cases.values()) == AGENTS * 5
    assert await router.loads() == {f"a-{n}": 5 for n in range(AGENTS)} == await router.loads_by_cases()


async def test_rounds_beside_resolving_agents_lose_no_place_and_give_none_twice(router: Router) -> None:
    await crowd(router, auto_accept=True)
    await router.match()
    held = [each.message.case_id for each in router.journal if isinstance(each.message, CaseAssigned)]

    async def resolve() -> None:
        for case_id in held:
            await router.tell(command(desk.Resolve, case_id, resolution="done"))

    async def look() -> None:
        for _ in range(20):
            await router.match(limit=10)

    await asyncio.gather(resolve(), look(), look())
    await router.match()
    units = await router.loads()
    assert units == {f"a-{n}": 0 for n in range(AGENTS)} | await router.loads_by_cases()
    assert sum(units.values()) == CASES - len(held)
    assert max(units.values()) <= 5


async def test_of_acceptance_and_expiry_at_one_instant_exactly_one_wins(router: Router) -> None:
    await crowd(router, auto_accept=False)
    offers = [each.message for each in (await router.match()).said if isinstance(each.message, CaseOffered)]
    router.now = offers[0].expires_at - timedelta(microseconds=1)

    async def expire() -> None:
        router.now = offers[0].expires_at
        await router.fire()

    accepts = [
        command(desk.AcceptOffer, offer.case_id, offer_id=offer.offer_id, agent_id=offer.agent_id) for offer in offers
    ]
    before, after = accepts[:3], accepts[3:]
    await asyncio.gather(*map(router.tell, before), expire(), *map(router.tell, after))
    for offer in offers:
        story = [each for each in router.journal if getattr(each.message, "offer_id", None) == offer.offer_id]
        assert len([name for name in names(story) if name in {"assigned", "offer_ended"}]) == 1
    refused = [each.message for each in router.journal if isinstance(each.message, CommandRejected)]
    assert {message.code for message in refused} <= {"offer_ended"}
    assert await router.loads() == {f"a-{n}": 0 for n in range(AGENTS)} | await router.loads_by_cases()


async def test_a_round_and_an_agent_who_leaves_never_strand_a_case(router: Router) -> None:
    await crowd(router, auto_accept=True)

    async def leave(agent_id: str) -> None:
        for _ in range(10):
            try:
                await router.tell(presence(agent_id, "offline"))
            except TransientError:
                continue
            return

    await asyncio.gather(router.match(), leave("a-0"), router.match(), leave("a-1"))
    await leave("a-0")
    await leave("a-1")
    loads = await router.loads()
    assert (loads["a-0"], loads["a-1"]) == (0, 0)
    assert {"a-0", "a-1"}.isdisjoint(await router.loads_by_cases())


async def test_two_openings_of_one_case_open_it_once(router: Router) -> None:
    outcomes = await asyncio.gather(
        *(router.tell(words(f"w{n}", demands=(proposed("same"),))) for n in range(4)),
        return_exceptions=True,
    )
    assert all(isinstance(each, list | TransientError) for each in outcomes)
    assert names(router.journal).count("opened") == 1
    assert (await router.case(case_id_of("same"))).version == names(router.journal).count("contact_attached") + 1


async def test_the_database_orders_a_queue_by_the_published_formula(router: Router) -> None:
    severities: tuple[Severity, ...] = ("urgent", "important", "normal")
    for number in range(24):
        router.now = NOW + timedelta(seconds=number * 977 % 86_000)
        demand = proposed(f"d{number}", classification=a_classification(severities[number % 3], safety=number % 7 == 0))
        await router.tell(words(f"w{number}", demands=(demand,)))
    router.now = NOW + timedelta(seconds=90_000)
    formula = router.policy.routing.priority

    async def look(limit: int) -> list[Waiting]:
        async with router.pool.acquire() as connection:
            looks = [Look(department, limit, own=True) for department in DEPARTMENTS]
            found, longer = await queues.waiting(connection, looks, router.now, router.policy.routing)
        assert bool(longer) == (limit <= 24)
        return [each.waiting for each in found]

    waiting = await look(100)
    for each in waiting:
        case = await router.case(each.case_id)
        assert each.priority == value_at(rank(case, formula), router.now, formula)
    assert waiting == sorted(waiting, key=lambda each: (-each.priority, each.aged_from, str(each.case_id)))
    assert len(waiting) == 24
    for limit in range(1, 25):
        assert await look(limit) == waiting[:limit]


async def test_a_round_decides_so_many_and_the_next_goes_on_where_it_ended(router: Router) -> None:
    agents = DECISIONS_MAX // 10 + 2
    capacity = Capacity(total=10, chat=10)
    await router.tell(*(a_profile(f"a-{n:02}", auto_accept=True, capacity=capacity) for n in range(agents)))
    await router.tell(*(presence(f"a-{n:02}", "available") for n in range(agents)))
    await router.tell(*(words(f"w{n}", demands=(proposed(f"d{n}"),)) for n in range(DECISIONS_MAX + 10)))
    first = await router.match()
    assert (first.matched, first.full, first.more) == (DECISIONS_MAX, True, True)
    second = await router.match()
    assert (second.matched, second.full) == (10, False)
    given = [each.message.case_id for each in router.journal if isinstance(each.message, CaseAssigned)]
    assert len(given) == len(set(given)) == DECISIONS_MAX + 10
    assert await router.loads_by_cases() == {agent: units for agent, units in (await router.loads()).items() if units}


async def test_a_round_sees_what_became_of_the_agents_since_the_last(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "away"))
    await router.tell(words(demands=(proposed(),)))
    assert (await router.match()).matched == 0
    await router.tell(presence("a-1", "available"))
    await router.pool.execute("DELETE FROM agents WHERE agent_id = 'a-2'")
    assert (await router.match()).matched == 1
    await router.tell(words("other", demands=(proposed("second"),)))
    await router.pool.execute("DELETE FROM agents")
    assert (await router.match()).matched == 0
