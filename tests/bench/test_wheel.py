"""Does a lost, double, early or left-over timer make a run worth nothing?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.runtime.timers import schedule
from tests.bench.wheel import Wheel, a_wheel, timer
from tests.bench.workload import Ground, NoResultError
from tests.support.servers import unique_name

COUNT = 3


@pytest.fixture
async def turned(postgres_dsn: str, tmp_path: Path) -> AsyncIterator[Wheel]:
    """Give a wheel that has fired three timers."""
    async with a_wheel(Ground("nowhere:1", postgres_dsn, tmp_path), unique_name("wheel")) as wheel:
        due = [timer("test", number, wheel.now()) for number in range(COUNT)]
        async with wheel.pool.acquire() as connection:
            await schedule(connection, due)
        async with wheel.turning():
            await wheel.fired(COUNT, 20)
        yield wheel


async def test_a_right_run_is_counted(turned: Wheel) -> None:
    assert await turned.counted(COUNT, 0) == {"fired": 3, "timers": 3, "early": 0, "waiting": 0, "parked": 0}
    assert len(turned.lateness) == COUNT
    assert min(turned.lateness) >= 0


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM fired WHERE ctid IN (SELECT ctid FROM fired LIMIT 1)",
        "INSERT INTO fired SELECT * FROM fired LIMIT 1",
        "UPDATE fired SET due_at = fired_at + interval '1 ms'",
        "INSERT INTO timers SELECT timer_id, due_at, generation, 'left', '', '{}' FROM fired LIMIT 1",
    ],
)
async def test_a_wrong_run_is_no_result(turned: Wheel, harm: str) -> None:
    await turned.pool.execute(harm)

    with pytest.raises(NoResultError):
        await turned.counted(COUNT, 0)


async def test_a_timer_that_does_not_come_is_no_result(turned: Wheel) -> None:
    with pytest.raises(NoResultError, match="3 of 4"):
        await turned.fired(COUNT + 1, 0.1)
