"""Who gets which case, at which step, and is the record true (A2, A3, C7)?"""

from collections import Counter
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.channel import Capacity
from services.router.domain.agents import Agent
from services.router.domain.case import Case
from services.router.domain.matching import Match, match, waiting
from services.router.domain.priority import rank, value_at
from tests.unit.router.given import (
    NOW,
    a_case,
    a_classification,
    a_customer,
    an_agent,
    later,
    the_policy,
)

ROUTING = the_policy().routing


def matched(cases: list[Case], agents: list[Agent], now: datetime = NOW) -> list[Match]:
    """Return one round's matches."""
    queue = [waiting(case, value_at(rank(case, ROUTING.priority), now, ROUTING.priority), ROUTING) for case in cases]
    return match(queue, agents, now, ROUTING)


def only(cases: list[Case], agents: list[Agent], now: datetime = NOW) -> Match:
    """Return the one match of a round."""
    (found,) = matched(cases, agents, now)
    return found


def removed(found: Match) -> dict[str, tuple[str, ...]]:
    """Return which rule removed whom."""
    return {each.rule: each.agent_ids for each in found.decision.excluded}


def test_best_skill_then_longest_idle() -> None:
    case = a_case(skills={"network": 2})
    agents = [
        an_agent("a-1", skills={"network": 2}, idle=500),
        an_agent("a-2", skills={"network": 4}, idle=10),
        an_agent("a-3", skills={"network": 4}, idle=90),
    ]
    found = only([case], agents)
    assert found.agent_id == "a-3"
    assert [each.agent_id for each in found.decision.candidates] == ["a-3", "a-2", "a-1"]
    assert (found.decision.step, found.decision.candidates[0].idle_seconds) == ("skills", 90)


def test_the_record_names_the_first_rule_that_removed_each() -> None:
    case = a_case(skills={"network": 3}, declined=("a-8",))
    full = Agent("a-7", an_agent("a-7", skills={"network": 3}).profile, "available", NOW, {"chat": 1, "email": 2})
    busy_chat = Agent("a-6", an_agent("a-6", skills={"network": 3}).profile, "available", NOW, {"chat": 2})
    agents = [
        an_agent("a-1", skills={"network": 3}, languages=("zh",)),
        an_agent("a-2", "away"),
        an_agent("a-3", department="operations"),
        an_agent("a-4", role="supervisor"),
        an_agent("a-5", skills={"network": 3}, languages=("en",)),
        busy_chat,
        full,
        an_agent("a-8", skills={"network": 3}),
        an_agent("a-9", skills={"network": 2}),
    ]
    assert removed(only([case], agents)) == {
        "presence": ("a-2",),
        "department": ("a-3",),
        "role": ("a-4",),
        "language": ("a-5",),
        "skill": ("a-9",),
        "capacity_channel": ("a-6",),
        "capacity_total": ("a-7",),
        "declined": ("a-8",),
    }


def test_the_own_agent_is_asked_first_and_waited_for_while_there() -> None:
    case = a_case(preferred_agent_id="a-2")
    other = an_agent("a-1", idle=900)
    own = only([case], [other, an_agent("a-2", department="operations")])
    assert (own.agent_id, own.decision.step, removed(own)) == ("a-2", "preferred", {"not_preferred": ("a-1",)})
    full = Agent("a-2", an_agent("a-2").profile, "available", NOW, {"chat": 2})
    assert matched([case], [other, full], later(29)) == []
    assert only([case], [other, full], later(30)).agent_id == "a-1"
    assert only([case], [other, an_agent("a-2", "away")]).agent_id == "a-1"


def test_demands_relax_with_waiting_and_at_once_where_nobody_is_there() -> None:
    case = a_case(skills={"network": 4})
    expert = an_agent("a-1", skills={"network": 5})
    full_expert = Agent("a-1", expert.profile, "available", NOW, {"chat": 2})
    novice = an_agent("a-2", skills={"network": 3})
    assert matched([case], [full_expert, novice], later(29)) == []
    assert only([case], [full_expert, novice], later(30)).decision.step == "relaxed_1"
    assert only([case], [novice]).decision.step == "relaxed_1"
    assert only([case], [an_agent("a-3")]).decision.step == "relaxed_3"


def test_overflow_waits_for_its_time_even_where_nobody_is_there() -> None:
    case = a_case()
    elsewhere = an_agent("a-1", department="operations")
    assert matched([case], [elsewhere], later(119)) == []
    assert only([case], [elsewhere], later(120)).decision.step == "overflow"


def test_a_supervisors_case_waits_for_a_supervisor_from_anywhere_then_takes_anybody() -> None:
    case = a_case(supervisor_needed=True)
    agent = an_agent("a-1")
    assert matched([case], [agent], later(599)) == []
    assert only([case], [agent], later(600)).agent_id == "a-1"
    assert only([case], [agent, an_agent("a-2", role="supervisor", department="operations")]).agent_id == "a-2"


def test_a_safety_emergency_waits_for_nobody() -> None:
    case = a_case(classification=a_classification(safety=True), supervisor_needed=True)
    assert only([case], [an_agent("a-1", department="operations")]).decision.step == "anybody"
    assert only([case], [an_agent("a-1"), an_agent("a-2", role="supervisor")]).agent_id == "a-2"


def test_the_language_of_the_customer_counts_until_the_last_steps() -> None:
    case = a_case(customer=a_customer(language="en"))
    chinese, english = an_agent("a-1", languages=("zh-CN",)), an_agent("a-2", languages=("en-GB",))
    assert only([case], [chinese, english]).agent_id == "a-2"
    assert only([case], [chinese]).decision.step == "relaxed_3"


def test_the_oldest_of_the_highest_priority_comes_first() -> None:
    urgent = a_case("urgent", classification=a_classification("urgent"))
    old, new = a_case("old", aged_from=later(-300)), a_case("new", aged_from=later(-10))
    one_place = [an_agent("a-1", capacity=Capacity(total=1, chat=1))]
    assert only([new, old, urgent], one_place).waiting.case_id == urgent.case_id
    assert only([new, old], one_place).waiting.case_id == old.case_id


def test_work_is_spread_over_those_who_idle_longest() -> None:
    cases = [a_case(f"case {number}") for number in range(4)]
    found = matched(cases, [an_agent("a-1", idle=50), an_agent("a-2", idle=90)])
    assert [each.agent_id for each in found[:2]] == ["a-2", "a-1"]
    assert Counter(each.agent_id for each in found) == {"a-1": 2, "a-2": 2}


_CHANNELS = st.sampled_from(["phone", "chat", "email"])
_SKILLS = st.dictionaries(st.sampled_from(["network", "billing"]), st.integers(1, 5), max_size=2)


@given(
    st.lists(st.tuples(_SKILLS, st.booleans(), st.integers(0, 700), _CHANNELS), max_size=12),
    st.lists(st.tuples(_SKILLS, st.integers(0, 3), st.sampled_from(["available", "busy", "away"])), max_size=5),
)
def test_no_round_exceeds_a_capacity_or_gives_a_case_twice(
    cases: list[tuple[dict[str, int], bool, int, str]],
    agents: list[tuple[dict[str, int], int, str]],
) -> None:
    queue = [
        a_case(str(number), skills=skills, supervisor_needed=supervisor, queued_at=later(-waited)).model_copy(
            update={"contact": a_case().contact.model_copy(update={"channel": channel})},
        )
        for number, (skills, supervisor, waited, channel) in enumerate(cases)
    ]
    staff = [
        an_agent(f"a-{number}", presence, skills=skills, capacity=Capacity(total=total, phone=1, chat=2, email=total))  # type: ignore[arg-type]  # values of the literal
        for number, (skills, total, presence) in enumerate(agents)
    ]
    found = matched(queue, staff)
    assert len({each.waiting.case_id for each in found}) == len(found)
    taken = Counter((each.agent_id, each.waiting.channel) for each in found)
    for agent in staff:
        assert agent.profile is not None
        total = sum(units for (agent_id, _), units in taken.items() if agent_id == agent.agent_id)
        assert total <= agent.profile.capacity.total
        assert not total or agent.presence == "available"
        for channel in ("phone", "chat", "email"):
            assert taken[agent.agent_id, channel] <= getattr(agent.profile.capacity, channel)
    for each in found:
        assert each.decision.candidates[0].agent_id == each.agent_id
