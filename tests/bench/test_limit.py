"""Is the limit what its formula says, and never lowered by rows that the product need not write?"""

from dataclasses import replace

import pytest

from tests.bench.limit import Counts, Limit
from tests.bench.rawrows import Rates

RAW = Limit(
    consume=1000.0,
    produce=500.0,
    decode=200.0,
    encode=400.0,
    rows=Rates({1: 10, 100: 1000}, 0.0),
    commits=10.0,
    cores=2,
)
CASE = Counts(consumed=10, decoded=4, encoded=2, produced=5, busiest=2)


def test_every_part_costs_its_share_of_the_processors() -> None:
    parts = {"consume": 0.01, "decode": 0.02, "encode": 0.005, "rows": 0.012, "produce": 0.01, "sync": 0.004}
    assert RAW.seconds(CASE) == pytest.approx(parts)
    assert RAW.per_second(CASE) == pytest.approx(2 / sum(parts.values()))


def test_one_services_commits_are_a_ceiling_of_their_own() -> None:
    assert RAW.per_second(replace(CASE, busiest=100)) == pytest.approx(10 * 100 / 100)


def test_a_design_that_saves_rows_raises_the_limit_and_one_that_wastes_them_does_not_lower_it() -> None:
    assert CASE.rows == 2 * 4 + 2 * 2
    assert replace(CASE, changed=5).rows == 5
    assert replace(CASE, changed=50).rows == CASE.rows
