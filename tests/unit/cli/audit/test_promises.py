"""Does every promise need an end or a clock?"""

from datetime import timedelta

import pytest

from contracts.message import derived_id
from services.cli.audit.findings import Findings
from services.cli.audit.promises import Promises
from tests.support.examples import MOMENT

PROMISE, CLOCK = "promise-1", "clock-1"
Said = tuple[str, ...]
DUE = (MOMENT + timedelta(hours=1)).isoformat()
LATER = (MOMENT + timedelta(hours=2)).isoformat()


def _judged(*said: Said, minutes: int = 0, over: bool = False, all_clocks: bool = True) -> tuple[dict[str, int], int]:
    promises, findings = Promises(derived_id("case")), Findings()
    for kind, due_at in said:
        if kind.startswith("promise_"):
            promises.take_event(kind, PROMISE, due_at)
        else:
            promises.take_clock(kind, CLOCK, PROMISE, due_at)
    now = MOMENT + timedelta(minutes=minutes)
    return promises.judge(findings, now, over=over, all_clocks=all_clocks), findings.total


def test_a_promise_with_a_clock_is_right_until_its_time_has_passed() -> None:
    assert _judged(("promise_made", DUE), ("started", DUE)) == ({"running": 1}, 0)
    assert _judged(("promise_made", DUE), ("started", DUE), minutes=70) == ({"running": 1}, 1)


def test_a_promise_without_an_end_and_without_a_clock_is_found() -> None:
    assert _judged(("promise_made", DUE)) == ({"lost": 1}, 1)
    assert _judged(("promise_made", DUE), ("started", DUE), ("cancelled", "")) == ({"lost": 1}, 1)


def test_a_clock_that_started_before_what_is_kept_is_not_missed_before_its_time_has_passed() -> None:
    assert _judged(("promise_made", DUE), all_clocks=False) == ({"running": 1}, 0)
    assert _judged(("promise_made", DUE), minutes=70, all_clocks=False) == ({"running": 1}, 1)
    assert _judged(("promise_made", DUE), ("started", DUE), ("cancelled", ""), all_clocks=False) == ({"lost": 1}, 1)


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (("promise_kept", ""), "kept"),
        (("promise_breached", ""), "breached"),
        (("met", ""), "kept"),
        (("breached", DUE), "breached"),
    ],
)
def test_a_promise_that_ended_is_right(end: Said, name: str) -> None:
    assert _judged(("promise_made", DUE), ("started", DUE), end, minutes=999) == ({name: 1}, 0)


def test_a_moved_promise_needs_a_new_end() -> None:
    moved = (("promise_made", DUE), ("promise_moved", LATER), ("started", DUE), ("breached", DUE))

    assert _judged(*moved) == ({"lost": 1}, 1)
    assert _judged(*moved, ("started", LATER), minutes=70) == ({"running": 1}, 0)


def test_a_moved_promise_runs_on_the_clock_of_its_new_time() -> None:
    moved = (("promise_made", DUE), ("promise_moved", LATER), ("started", DUE), ("cancelled", ""))

    assert _judged(*moved, ("started", LATER)) == ({"running": 1}, 0)
    assert _judged(*moved) == ({"lost": 1}, 1)


def test_the_end_of_a_case_ends_its_promises() -> None:
    assert _judged(("promise_made", DUE), minutes=999, over=True) == ({"closed with its case": 1}, 0)
    assert _judged(("promise_made", DUE), ("started", DUE), minutes=999, over=True) == ({"closed with its case": 1}, 0)


def test_only_what_runs_towards_a_moment_needs_a_timer() -> None:
    promises = Promises(derived_id("case"))
    for clock, steps in {"a": ("started",), "b": ("started", "paused"), "c": ("started", "met")}.items():
        for step in steps:
            promises.take_clock(step, clock, "", DUE)
    promises.take_clock("resumed", "d", "", "")

    assert set(promises.running) == {"a"}
