"""Does a case keep its story in PostgreSQL, from the first words to the last?"""

from datetime import timedelta

import orjson
import pytest

from contracts import desk
from contracts import router as said_by_router
from contracts.message import derived_id
from contracts.router import verify_hash
from services.router.handlers import sweeps
from tests.integration.router.conftest import Router, event, names
from tests.unit.router.given import a_classification, a_profile, case_id_of, command, presence, proposed, words

CASE = case_id_of("first")


async def test_the_closed_loop_leaves_a_gapless_chain_and_a_free_agent(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    assert names(await router.tell(words(demands=(proposed(),)))) == ["opened"]
    found = await router.match()
    assert names(found.said) == ["assigned"]
    assert await router.loads() == {"a-1": 1} == await router.loads_by_cases()
    said = await router.tell(
        command(desk.ReachMilestone, milestone="fix_deployed"),
        command(desk.Resolve, resolution="the fix is out"),
        command(desk.ConfirmResolution, solved=True),
    )
    assert names(said) == ["milestone_reached", "resolved", "closed"]
    assert await router.loads() == {"a-1": 0}

    case = await router.case(CASE)
    assert (case.state, case.version, case.agent_id) == ("closed", 5, "a-1")
    journal = [each for each in router.journal if each.message.topic == "case.events"]
    chain = [orjson.loads(each.value or b"") for each in journal]
    assert [data["version"] for data in chain] == [1, 2, 3, 4, 5]
    assert [data["previous_hash"] for data in chain[1:]] == [data["hash"] for data in chain[:-1]]
    assert all(verify_hash(each.value or b"") for each in journal)
    assert case.hash == chain[-1]["hash"]


async def offered(router: Router) -> said_by_router.CaseOffered:
    """Run a round that makes one offer, and return it."""
    offer = event((await router.match()).said, said_by_router.CaseOffered)
    assert isinstance(offer, said_by_router.CaseOffered)
    return offer


async def test_who_declines_is_not_asked_again_and_the_record_says_so(router: Router) -> None:
    await router.tell(a_profile("a-1"), a_profile("a-2"), presence("a-1", "available"))
    router.wait(1)
    await router.tell(presence("a-2", "available"), words(demands=(proposed(),)))
    first = await offered(router)
    assert first.agent_id == "a-1"
    assert await router.loads() == {"a-1": 1, "a-2": 0}

    said = await router.tell(command(desk.DeclineOffer, offer_id=first.offer_id, agent_id="a-1"))
    assert names(said) == ["offer_ended"]
    second = await offered(router)
    assert second.agent_id == "a-2"
    assert [(rule.rule, rule.agent_ids) for rule in second.decision.excluded] == [("declined", ("a-1",))]


async def test_an_offer_that_runs_out_sends_the_agent_away_and_cannot_be_accepted(router: Router) -> None:
    await router.tell(a_profile("a-1"), presence("a-1", "available"), words(demands=(proposed(),)))
    first = await offered(router)
    router.wait(20)
    assert names(await router.fire()) == ["offer_ended"]
    assert await router.pool.fetchval("SELECT presence FROM agents") == "away"
    assert await router.loads() == {"a-1": 0}
    late = await router.tell(command(desk.AcceptOffer, offer_id=first.offer_id, agent_id="a-1"))
    assert getattr(late[0].message, "code", None) == "offer_ended"
    assert names((await router.match()).said) == []


async def test_an_accepted_offer_names_the_handler_and_needs_no_timer_any_more(router: Router) -> None:
    await router.tell(a_profile("a-1"), presence("a-1", "available"), words(demands=(proposed(),)))
    offer = await offered(router)
    said = await router.tell(command(desk.AcceptOffer, offer_id=offer.offer_id, agent_id="a-1"))
    assigned = event(said, said_by_router.CaseAssigned)
    assert isinstance(assigned, said_by_router.CaseAssigned)
    assert (assigned.agent_id, assigned.agent_number, assigned.offer_id) == ("a-1", "101", offer.offer_id)
    assert await router.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_an_agent_who_goes_offline_leaves_nothing_behind(router: Router) -> None:
    await router.tell(a_profile("a-1"), presence("a-1", "available"), words(demands=(proposed(), proposed("second"))))
    first = event((await router.match(limit=1)).said, said_by_router.CaseOffered)
    assert isinstance(first, said_by_router.CaseOffered)
    await router.tell(command(desk.AcceptOffer, first.case_id, offer_id=first.offer_id, agent_id="a-1"))
    await router.match()
    assert await router.loads() == {"a-1": 2}

    said = await router.tell(presence("a-1", "offline"))
    assert sorted(names(said)) == ["offer_ended", "released"]
    assert await router.loads() == {"a-1": 0}
    assert await router.loads_by_cases() == {}
    assert await router.pool.fetchval("SELECT count(*) FROM cases WHERE queue = 'technical_support'") == 2


async def test_a_command_for_no_case_is_answered_under_its_id(router: Router) -> None:
    (said,) = await router.tell(command(desk.Resolve, resolution="done"))
    answer = said.message
    assert isinstance(answer, said_by_router.CommandRejected)
    assert (answer.code, answer.key(), answer.version, answer.hash) == ("unknown_case", str(CASE), None, None)


async def test_a_merge_changes_both_cases_and_later_words_reach_the_survivor(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    into = case_id_of("second")
    said = await router.tell(command(desk.Merge, into_case_id=into, reason="the same"))
    assert names(said) == ["merged", "linked"]
    said = await router.tell(words("again", joins=(CASE,)))
    assert [(each.message.key(), name) for each, name in zip(said, names(said), strict=False)] == [
        (str(into), "contact_attached"),
    ]


async def test_what_a_merged_case_owes_its_customer_goes_on_in_the_survivor(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)), words("other", demands=(proposed("second"),)))
    promise = derived_id("promise")
    due_at = router.now + timedelta(hours=1)
    await router.tell(
        command(desk.MakePromise, promise_id=promise, what="a call", due_at=due_at),
        command(desk.ScheduleCallback, purpose="requested", at=due_at),
    )
    said = await router.tell(command(desk.Merge, into_case_id=case_id_of("second"), reason="the same"))
    assert names(said) == ["merged", "linked", "promise_made", "callback_scheduled"]
    assert [each.message.key() for each in said] == [str(CASE), *[str(case_id_of("second"))] * 3]
    kept = await router.tell(command(desk.KeepPromise, case_id_of("second"), promise_id=promise))
    assert names(kept) == ["promise_kept"]


async def test_waiting_raises_the_band_once(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    assert names(await router.sweep()) == []
    router.wait(86_400)
    assert names(await router.sweep()) == ["reprioritised"]
    assert names(await router.sweep()) == []


async def test_idle_work_goes_back_to_the_queue(router: Router) -> None:
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed(),)))
    await router.match()
    router.wait(the_idle_bound := router.policy.routing.idle_seconds["normal"] - 1)
    assert the_idle_bound > 0
    assert names(await router.sweep()) == []
    router.wait(1)
    assert names(await router.sweep()) == ["released"]


@pytest.mark.parametrize("corrected", ["never", "while it waits", "while somebody works on it", "by an older release"])
async def test_idle_work_of_short_patience_does_not_stand_behind_other_work(
    router: Router, monkeypatch: pytest.MonkeyPatch, corrected: str
) -> None:
    monkeypatch.setattr(sweeps, "SWEEP_MAX", 1)
    grave = proposed("grave", classification=a_classification("urgent" if corrected == "never" else "normal"))
    worse = command(desk.CorrectClassification, case_id_of("grave"), severity="urgent", reason="nobody can pay")
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"))
    await router.tell(words(demands=(proposed(),)))
    if corrected == "by an older release":
        monkeypatch.setattr(sweeps, "SWEEP_MAX", 2)  # it does not tell that this is worse than any other
    await router.match()
    router.wait(60)
    await router.tell(words("grave", demands=(grave,)))
    if corrected == "while it waits":
        await router.tell(worse)
    await router.match()
    if corrected in ("while somebody works on it", "by an older release"):
        await router.tell(worse)
    if corrected == "by an older release":
        await router.pool.execute("UPDATE cases SET severity = 'normal', severity_version = version - 1")
    router.wait(router.policy.routing.idle_seconds["urgent"])
    assert names(await router.sweep()) == ["released"]
    assert (await router.case(case_id_of("grave"))).state == "queued"


async def test_work_of_unknown_patience_stands_behind_that_of_short_patience(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "SWEEP_MAX", 1)
    await router.tell(a_profile(auto_accept=True), presence("a-1", "available"), words(demands=(proposed(),)))
    await router.match()
    await router.pool.execute("UPDATE cases SET severity = NULL, severity_version = NULL")  # before the upgrade
    router.wait(60)
    grave = proposed("grave", classification=a_classification("urgent"))
    await router.tell(words("grave", demands=(grave,)))
    await router.match()
    router.wait(router.policy.routing.idle_seconds["urgent"])
    assert names(await router.sweep()) == ["released"]
