"""Is every missed target of a run named, and every ratio that fell below what the gate lets through?"""

import pytest

from tests.bench.targets import GATE, TARGETS, Target, fallen, missed


@pytest.mark.parametrize(
    ("rate", "assigned", "start", "named"),
    [
        (500.0, 40.0, 10.0, []),
        (499.9, 40.0, 10.0, ["W4 cases per second: 499.9"]),
        (500.0, 40.1, 10.0, ["W4 alone, assigned (p50): 40.1 ms"]),
        (500.0, 40.0, 10.01, ["start: 10.01 s"]),
        (12.0, 90.0, 30.0, ["W4 cases per second: 12", "W4 alone, assigned (p50): 90 ms", "start: 30 s"]),
    ],
)
def test_each_missed_target_is_a_line(rate: float, assigned: float, start: float, named: list[str]) -> None:
    result = {
        "environment": {"start_seconds": start},
        "figures": {"W4_cases_per_second": {"product": rate}, "W4_alone_assigned_ms": {"p50": assigned}},
    }

    assert [line.rpartition(",")[0] for line in missed(result)] == named


def test_what_was_not_measured_is_not_missed() -> None:
    assert missed({"environment": {}, "figures": {}}) == []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.title)
def test_the_bound_itself_is_reached_and_beyond_it_is_missed(target: Target) -> None:
    match target.least, target.most:
        case float() | int() as least, None:
            assert target.is_reached(least)
            assert not target.is_reached(least - 0.5)
        case None, float() | int() as most:
            assert target.is_reached(most)
            assert not target.is_reached(most + 0.5)
        case _:
            raise AssertionError(target)


def a_run(factor: float) -> dict[str, dict[str, dict[str, float]]]:
    """Return a run that is as many times as good as the gate wants, on a machine where nothing absolute is reached."""
    return {"figures": {each.figure: {"product": 1.0, "ratio": factor * (each.least or 0.0)} for each in GATE}}


def test_the_gate_asks_for_ratios_only() -> None:
    assert {target.part for target in GATE} == {"ratio"}
    assert fallen(a_run(1.0)) == []


def test_each_ratio_below_its_bound_closes_the_gate() -> None:
    assert [line.partition(":")[0] for line in fallen(a_run(0.99))] == [target.title for target in GATE]


def test_what_was_not_measured_closes_the_gate() -> None:
    assert fallen({"figures": {}}) == [f"{target.title}: not measured" for target in GATE]
