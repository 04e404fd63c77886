"""Does the decision record answer "why this agent"?"""

from contracts import router
from services.desk.domain.why import reasons
from tests.unit.desk.story import a_case, story, told


def test_every_choice_of_an_agent_is_told_with_its_reasons() -> None:
    case_id = a_case("why")
    events = [
        *story("why")[:1],
        told(router.CaseOffered, case_id, 2, state="offered", agent_id="a-1"),
        told(router.CaseOfferEnded, case_id, 3, state="queued", agent_id="a-1", outcome="declined"),
        told(router.CaseAssigned, case_id, 4, state="assigned", agent_id="a-2", decision=None),
        told(router.CaseEscalated, case_id, 5, state="queued"),
    ]

    found = reasons(events)

    assert [choice["step"] for choice in found["assignment"]] == ["offered", "declined", "assigned"]
    assert found["assignment"][0]["decision"]["candidates"]
    assert found["classification"][0]["evidence"]
    assert [step["version"] for step in found["priority"]] == [1, 5]
