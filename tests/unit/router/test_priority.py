"""Is the priority the sum that the policy publishes (C7)?"""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.offering import reprioritise
from services.router.domain.priority import band, band_limits, priority, rank, value_at
from tests.unit.router.given import (
    NOW,
    a_case,
    a_classification,
    a_customer,
    an_occasion,
    later,
    opened,
    the_policy,
    types_of,
)

FORMULA = the_policy().routing.priority


def test_a_fresh_routine_question_has_no_points() -> None:
    case = opened().case
    assert (case.priority.value, case.priority.band, case.priority.components) == (0, "low", ())


def test_every_summand_is_named() -> None:
    case = a_case(
        classification=a_classification(
            "urgent",
            quadrant="urgent_important",
            emotion="angry",
            safety=True,
            importance="important",
        ),
        customer=a_customer(tier="gold", at_risk=True),
        repeat=True,
        supervisor_needed=True,
        cycle=2,
    )
    found = priority(case, later(900), FORMULA)
    assert {component.name: component.points for component in found.components} == {
        "severity": 300,
        "quadrant": 100,
        "emotion": 60,
        "tier": 50,
        "safety": 1000,
        "at_risk": 40,
        "repeat_contact": 50,
        "supervisor": 100,
        "reopened": 80,
        "age": 15,
        "deadline": 100,
    }
    assert found.value == sum(component.points for component in found.components)
    assert found.band == "critical"


@given(st.integers(0, 400_000), st.sampled_from(["urgent", "important", "normal"]), st.booleans())
def test_the_parts_give_the_same_value_and_it_never_falls_by_waiting(age: int, severity: str, safe: bool) -> None:
    case = a_case(classification=a_classification(severity, safety=safe))  # type: ignore[arg-type]  # values of the literal
    standing = rank(case, FORMULA)
    assert value_at(standing, later(age), FORMULA) == priority(case, later(age), FORMULA).value
    assert value_at(standing, later(age + 60), FORMULA) >= value_at(standing, later(age), FORMULA)


@given(st.integers(0, 3000))
def test_a_value_lies_within_the_limits_of_its_band(value: int) -> None:
    floor, ceiling = band_limits(band(value, FORMULA), FORMULA)
    assert floor <= value
    assert ceiling is None or value < ceiling


def test_a_change_is_told_only_when_the_band_changes() -> None:
    case = opened().case
    assert types_of(reprioritise(case, an_occasion(now=later(3600)))) == []
    raised = reprioritise(case, an_occasion(now=later(86_400)))
    assert types_of(raised) == ["reprioritised"]
    assert raised.case.priority.band == "high"
    assert types_of(reprioritise(raised.case, an_occasion(now=later(86_401)))) == []
    assert priority(case, NOW, FORMULA).band == "low"
