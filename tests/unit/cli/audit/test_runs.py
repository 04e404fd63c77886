"""Do facts that were put down in any order come up key by key, however little was held?"""

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
        found = list(by_key(sorter.runs, folder))

    assert found == sorted(expected.items())


def test_no_more_is_held_than_allowed(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path, "a", held_max=10)
    for number in range(95):
        sorter.add(bytes([number]), (number,))
    sorter.close()

    assert len(sorter.runs) == 10
