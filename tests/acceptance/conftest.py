"""One running product for all acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import System, running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running `caseloop up` with the demo's short durations."""
    demo = Path(__file__).parents[2] / "deploy" / "policies" / "demo.toml"
    with running_system(tmp_path_factory.mktemp("up"), "--policy", str(demo)) as system:
        yield system
