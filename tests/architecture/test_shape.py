"""Is every file short enough to be read in one go?"""

import pytest

from tests.architecture.sources import PRODUCT, Source, sources

LINES_MAX = 300


@pytest.mark.parametrize("source", sources(*PRODUCT, "tests"), ids=lambda source: source.path)
def test_a_file_is_short(source: Source) -> None:
    assert source.text.count("\n") <= LINES_MAX, f"{source.path} answers more than one question: split it"


def test_no_folder_is_a_drawer_for_everything() -> None:
    drawers = {"common", "shared", "core", "utils", "helpers", "lib"}
    assert {source.path for source in sources(*PRODUCT, "tests") if drawers & set(source.path.split("/")[:-1])} == set()
