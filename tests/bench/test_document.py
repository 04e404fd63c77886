"""Does a document say what was measured, keep what others measured, and become an honest page?"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import document, report
from tests.bench.workload import Measured, percentile

MACHINE = {"cores": 2, "machine": "x86_64", "python": "3.11", "load": 0.5}


def a_document(workload: str = "W4", limit: float | None = None, **products: float) -> dict[str, Any]:
    measured = Measured()
    for name, value in products.items():
        measured.add(name, value, limit)
    return document.of(workload, measured, MACHINE, {"steal_percent": 1.5}, quick=False)


def test_a_figure_is_the_median_of_its_runs_and_of_their_ratios() -> None:
    measured = Measured()
    for product, limit in ((10.0, 100.0), (30.0, 100.0), (20.0, 40.0)):
        measured.add("W5_events_per_second", product, limit)

    assert measured.figures() == {
        "W5_events_per_second": {
            "product": 20.0,
            "limit": 100.0,
            "ratio": 0.3,
            "minimum": 10.0,
            "maximum": 30.0,
            "runs": 3,
        }
    }


def test_a_share_of_values_is_not_exceeded_by_it() -> None:
    assert percentile([float(value) for value in range(101)], 0.99) == 99.0
    assert percentile([7.0], 0.5) == 7.0


def test_a_new_run_replaces_its_own_workload_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    document.keep(path, a_document("W4", W4_cases_per_second=100.0, W4_gone=1.0))
    document.keep(path, a_document("W40", W40_figure=3.0))
    document.keep(path, a_document("W4", W4_cases_per_second=200.0))

    kept = json.loads(path.read_text("utf-8"))
    assert {name: figure["product"] for name, figure in kept["figures"].items()} == {
        "W40_figure": 3.0,
        "W4_cases_per_second": 200.0,
    }
    assert set(kept["details"]) == {"W4", "W40"}


def test_the_page_says_whether_a_target_was_reached() -> None:
    missed, reached = a_document(W4_cases_per_second=499.0), a_document(W4_cases_per_second=500.0)

    assert (
        "| `W4_cases_per_second` | 499.0 | 499.0 | 499.0 | 1 |  |  | at least 500; a ratio of at least 0.45 | **no** |"
        in report.page(missed)
    )
    assert "| at least 500; a ratio of at least 0.45 | yes |" in report.page(reached)
    assert "1.5 % stolen by the host" in report.page(reached)


@pytest.mark.parametrize(("limit", "reached"), [(100.0, "yes"), (100.3, "**no**")])
def test_a_target_about_a_ratio_is_judged_by_the_ratio(limit: float, reached: str) -> None:
    document = a_document("W4p", limit, W4p_product_to_plain_cases_per_second=400.0)

    assert f"| a ratio of at least 4 | {reached} |" in report.page(document)


def test_what_a_figure_did_not_measure_is_neither_reached_nor_missed() -> None:
    assert "| a ratio of at least 4 |  |" in report.page(a_document("W4p", W4p_product_to_plain_cases_per_second=400.0))


def test_the_page_says_which_servers_and_what_was_chosen_for_them() -> None:
    document = a_document(W4_cases_per_second=200.0)
    told = {"postgres": "18.6", "postgres_settings": {"fsync": "on"}, "broker": "4.3.1", "broker_settings": {}}
    document["environment"] |= told
    document["details"]["W4"]["environment"] |= told

    page = report.page(document)

    assert "; PostgreSQL 18.6; Kafka 4.3.1; " in page
    assert "* PostgreSQL: `fsync = on`" in page
    assert "* Kafka:" not in page


def test_the_page_says_what_a_workload_has_to_note() -> None:
    document = a_document("W4", W4_cases_per_second=200.0)
    document["details"]["W4"]["notes"] = ["this was measured.", "that was not."]

    assert report.page(document).endswith("|\n\n* this was measured.\n* that was not.\n")
