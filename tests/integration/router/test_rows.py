"""Does a case's row say what the case is, however little of it was written?"""

from collections import OrderedDict

import pytest

from contracts import desk
from contracts.message import derived_id
from services.router.domain.case import evolve
from services.router.domain.priority import band_limits, rank
from services.router.domain.unchecked import shared
from services.router.storage import bodies
from tests.integration.router.conftest import Router, names
from tests.unit.router.given import a_case, a_contact, a_profile, case_id_of, command, later, presence, proposed, words

CASE = case_id_of("first")
RANKED = """
SELECT queue, points, target_seconds, aged_from, band_floor, band_ceiling, queued_at, needs IS NOT NULL AS asks
FROM cases
"""


async def test_what_seldom_changes_is_written_anew_when_it_does(router: Router) -> None:
    await router.tell(words(demands=(proposed(facts={"order_no": "7"}),)))
    await router.tell(command(desk.MakePromise, promise_id=derived_id("promise"), what="a call", due_at=later(7200)))
    await router.tell(words("second", contact=a_contact("second"), joins=(CASE,)))
    assert (await router.case(CASE)).contact == a_contact("second")
    await router.tell(command(desk.RecordFacts, facts={"error_code": "ERR-500"}))
    case = await router.case(CASE)
    assert (case.version, case.facts, case.contact) == (
        4,
        {"order_no": "7", "error_code": "ERR-500"},
        a_contact("second"),
    )
    assert [promise.what for promise in case.promises] == ["a call"]


def test_a_body_holds_the_whole_case() -> None:
    case = a_case(agent_id="a-1", worked_at=later(60.25), options=("one",))
    for each in (case, evolve(case, state="solved"), evolve(case, facts={"what": "a white page — 白屏"})):
        body = bodies.write(each)
        assert type(each).model_validate_json(body) == each
        assert bodies.read(each.case_id, body) is each


@pytest.mark.parametrize("state", ["solved", "closed", "merged", "spam"])
def test_cases_that_are_solved_or_over_do_not_take_the_memory_of_open_ones(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    for most, cases in (("OPEN_MAX", "_open"), ("OTHERS_MAX", "_others")):
        monkeypatch.setattr(bodies, most, 1)
        monkeypatch.setattr(bodies, cases, OrderedDict())
    open_case, first, last = a_case(), *(evolve(a_case(name), state=state) for name in ("over first", "over last"))
    body, *over = [bodies.write(case) for case in (open_case, first, last)]
    assert bodies.read(open_case.case_id, body) is open_case
    assert bodies.read(last.case_id, over[1]) is last
    assert bodies.read(first.case_id, over[0]) is not first
    reopened = evolve(first, state="queued")
    assert bodies.read(reopened.case_id, bodies.write(reopened)) is reopened
    assert bodies.read(open_case.case_id, body) is not open_case


def test_what_is_new_in_a_case_that_was_read_is_kept_as_small_as_what_was_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = bodies.write(a_case())
    monkeypatch.setattr(bodies, "_open", OrderedDict())
    case = bodies.read(a_case().case_id, body)
    assert case.contact.__pydantic_fields_set__ is shared(frozenset(case.contact.__pydantic_fields_set__))
    attached = evolve(case, contact=a_contact("second"))
    assert bodies.read(case.case_id, bodies.write(attached)) is attached
    assert attached.contact.__pydantic_fields_set__ is shared(frozenset(attached.contact.__pydantic_fields_set__))


async def test_a_case_that_comes_back_to_a_queue_is_ranked_as_it_is_now(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed(),)))
    waiting = await router.pool.fetchrow(RANKED)
    await router.match()
    router.wait(90)
    assert names(await router.tell(command(desk.Escalate, reason="the customer asks for it"))) == ["escalated"]
    back = await router.pool.fetchrow(RANKED)
    case, routing = await router.case(CASE), router.policy.routing
    assert waiting is not None
    assert back is not None
    assert back["points"] > waiting["points"]
    standing = rank(case, routing.priority)
    assert tuple(back) == (
        "technical_support",
        standing.points,
        standing.target_seconds,
        standing.aged_from,
        *band_limits(case.priority.band, routing.priority),
        case.queued_at,
        True,
    )
    assert case.queued_at == later(90)


async def test_a_case_that_leaves_a_queue_asks_nothing_there(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed(),)))
    await router.match()
    left = await router.pool.fetchrow(RANKED)
    assert left is not None
    assert (left["queue"], left["asks"]) == (None, False)
