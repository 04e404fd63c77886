"""Do pictures and tables show what a run says, and nothing that it does not?"""

from typing import Any

import pytest

from tests.bench import report
from tests.bench.profile import PARTS
from tests.bench.views import VIEWS, beside, latencies, processor, promises, work

NOTHING: dict[str, Any] = {"environment": {}, "figures": {}, "details": {}}


def a_run(**figures: dict[str, float]) -> dict[str, Any]:
    return {**NOTHING, "figures": figures}


def a_costly_run() -> dict[str, Any]:
    """Return a run of which it is known where a case's time went."""
    details = {
        "environment": {"cores": 2, "machine": "x86_64", "python": "3.11", "load": 0.5},
        "samples": {"router": 1200, "desk": 300},
        "services": {"router": dict.fromkeys(PARTS, 100), "desk": {**dict.fromkeys(PARTS, 0), "decode": 50}},
        "around": {"kafka": {"compiler": 30}, "load": {"sms_double": 20}, "nobody": {"idle": 1000}},
        "statements": [
            {"statement": "SELECT a || b", "calls": 0.05, "milliseconds": 0.5, "rows": 2, "wal_bytes": 1024}
        ],
    }
    details["updates"] = [{"table": "router.cases", "updates": 7.5, "hot": 0.615}]
    return {**NOTHING, "details": {"W4cpu": details}}


@pytest.mark.parametrize("name", VIEWS)
def test_a_run_that_measured_nothing_has_no_pictures(name: str) -> None:
    assert VIEWS[name](NOTHING) == []


def test_more_is_better_where_so_much_was_promised_and_less_where_no_more_was() -> None:
    rows = promises(a_run(W4_cases_per_second={"product": 300.0}, W2_lateness_p99_ms={"product": 100.0}))

    assert {row.title: row.parts["times"] for row in rows} == {"W4 cases per second": 0.6, "W2 lateness (p99)": 5.0}
    assert {row.note for row in rows} == {"300; at least 500", "100 ms; at most 500 ms"}


def test_a_promise_of_a_ratio_is_drawn_by_the_ratio() -> None:
    (row,) = promises(a_run(W4p_product_to_plain_cases_per_second={"product": 900.0, "ratio": 2.0}))

    assert row.parts["times"] == 0.5


def test_a_promise_of_none_at_all_has_no_bar() -> None:
    assert promises(a_run(W9_over_capacity={"product": 0.0})) == []


def test_percentiles_stand_together_whichever_way_they_were_measured() -> None:
    run = a_run(
        W1_lateness_p50_ms={"product": 5.0},
        W1_lateness_max_ms={"product": 9.0},
        W4_alone_closed_ms={"p50": 80.0, "max": 130.0, "runs": 60},
        W9_filling_p99_ms={"product": 500.0},
        W7_closed_p99_ms={"first": 4000.0, "last": 4100.0, "ratio": 1.025},
        W4p_plain_half_p50_ms={"product": 30.0},
        W4p_product_to_plain_half_p50_ms={"product": 20.0, "ratio": 0.5},
        W4p_plain_defaults_half_p50_ms={"product": 40.0},
    )

    assert [(row.title, row.parts) for row in latencies(run)] == [
        ("W1  100,000 timers due at once", {"p50": 5.0, "max": 9.0}),
        ("W4  one case alone, until it is closed", {"p50": 80.0, "max": 130.0}),
        ("W4p  plain, at half its load", {"p50": 30.0}),
    ]


def test_services_come_first_in_the_cost_of_a_case_and_the_sum_is_no_part_of_it() -> None:
    (row,) = processor(a_run(W4_cpu_ms_per_case={"desk": 1.0, "driver": 0.5, "intake": 2.0, "sum": 3.5}))

    assert list(row.parts.items()) == [("intake", 2.0), ("desk", 1.0), ("driver", 0.5)]
    assert row.note == "3.5 ms"


def test_the_product_stands_above_its_peers_and_their_defaults_each_with_its_runs() -> None:
    run = a_run(
        W4p_product_to_plain_cases_per_second={"product": 200.0, "minimum": 190.0, "maximum": 230.0},
        W4p_plain_cases_per_second={"product": 100.0},
        W4p_restate_cases_per_second={"product": 300.0},
        W4p_plain_defaults_cases_per_second={"product": 250.0},
        W4p_product_defaults_cases_per_second={"product": 150.0},
        W4p_plain_alone_closed_ms={"product": 13.0},
    )

    assert [(row.title, row.parts) for row in beside(run)] == [
        ("caseloop", {"value": 200.0, "least": 190.0, "most": 230.0}),
        ("restate", {"value": 300.0, "least": 300.0, "most": 300.0}),
        ("plain, defaults", {"value": 250.0, "least": 250.0, "most": 250.0}),
        ("caseloop, defaults", {"value": 150.0, "least": 150.0, "most": 150.0}),
        ("plain", {"value": 100.0, "least": 100.0, "most": 100.0}),
    ]


def test_the_work_of_a_service_is_shown_by_kind() -> None:
    assert [(row.title, row.note) for row in work(a_costly_run())] == [("router", "900 µs"), ("desk", "50 µs")]


def test_the_page_says_where_a_case_went_down_to_the_statement() -> None:
    page = report.page(a_costly_run())

    assert "| desk |  | 50 |  |  |  |  |  |  |  | 50 |" in page
    assert "| sum | 100 | 150 | 100 | 100 | 100 | 100 | 100 | 100 | 100 | 950 |" in page
    assert "from 1,500 samples" in page
    assert "| the load | sms double | 20 |" in page
    assert "| everybody |  | 2,000 |" in page
    assert r"| `SELECT a \|\| b` | 0.05 | 0.5 | 2 | 1,024 |" in page
    assert "| `router.cases` | 7.5 | 62% |" in page
    assert "](performance/w4_work.svg)" in page
    assert "](performance/w4p_peers.svg)" not in page
