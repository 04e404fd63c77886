"""Do facts that were put down in any order come up key by key, however little was held?"""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.audit import runs
from services.cli.audit.runs import Sorter, by_key


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.integers(min_value=0, max_value=20), max_size=200),
    held_max=st.integers(min_value=1, max_value=60),
    runs_max=st.integers(min_value=2, max_value=5),
)
def test_every_fact_comes_up_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], held_max: int, runs_max: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    sorter, expected = Sorter(folder, "a", held_max), dict[bytes, list[tuple[int]]]()
    for number, key in enumerate(keys):
        sorter.add(bytes([key]), (number,))
        expected.setdefault(bytes([key]), []).append((number,))
    sorter.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "RUNS_MAX", runs_max)
        found = [(key, list(facts)) for key, facts in by_key(sorter.runs, folder)]

    assert found == sorted(expected.items())


def test_no_more_is_held_than_allowed(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path, "a", held_max=10)
    for number in range(95):
        sorter.add(bytes([number]), (number,))
    sorter.close()

    assert len(sorter.runs) == 10


def test_facts_of_a_key_come_in_their_order_whatever_run_they_stand_in(tmp_path: Path) -> None:
    sorter, key = Sorter(tmp_path, "a", held_max=3), bytes(16)
    for number in (5, 3, 9, 1, 7, 0, 2):
        sorter.add(key, (number,), bytes([number]))
    sorter.add(key, ("first",))
    sorter.close()

    ((found, facts),) = [(key, list(facts)) for key, facts in by_key(sorter.runs, tmp_path)]

    assert (found, [fact[0] for fact in facts]) == (key, ["first", 0, 1, 2, 3, 5, 7, 9])


def test_repeats_of_one_key_are_never_held_together(tmp_path: Path) -> None:
    sorter, repeats = Sorter(tmp_path, "a", held_max=5_000), 50_000
    for number in range(repeats):
        sorter.add(bytes(16), (number, b"x" * 50))
    sorter.close()

    tracemalloc.start()
    counted = sum(1 for _, facts in by_key(sorter.runs, tmp_path) for _ in facts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert counted == repeats
    assert peak < repeats * 50
