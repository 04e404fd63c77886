"""Does virtual time pass at once, in order, and the same way for the same seed?"""

import asyncio
import random

import pytest

from tests.simulation.loop import Blocking, StalledError, VirtualLoop, run_virtually


async def _a_year() -> float:
    async with asyncio.timeout(400 * 86_400.0):
        await asyncio.get_running_loop().create_task(_until(365 * 86_400.0))
    return asyncio.get_running_loop().time()


async def _until(moment: float) -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_at(moment, event.set)
    await event.wait()


async def _race(runners: int) -> list[int]:
    order: list[int] = []

    async def run(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(runners):
            group.create_task(run(number))
    return order


def test_a_year_passes_at_once() -> None:
    assert run_virtually(_a_year(), random.Random(1)) == 365 * 86_400.0


def test_a_timeout_comes_at_its_virtual_moment() -> None:
    async def late() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7.5):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtually(late(), random.Random(1)) == 7.5


def test_one_seed_has_one_order_and_seeds_differ() -> None:
    orders = {seed: run_virtually(_race(5), random.Random(seed)) for seed in range(20)}
    assert all(run_virtually(_race(5), random.Random(seed)) == order for seed, order in orders.items())
    assert len({tuple(order) for order in orders.values()}) > 15


def test_whoever_waits_for_ever_is_found() -> None:
    with pytest.raises(StalledError):
        run_virtually(asyncio.Event().wait(), random.Random(1))


def test_a_jump_makes_late_what_was_due_meanwhile() -> None:
    async def slept_over() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.call_soon(loop.jump, 100.0)
        await _until(5.0)
        return loop.time()

    assert run_virtually(slept_over(), random.Random(1)) == 100.0


def test_real_work_runs_while_virtual_time_stands_still() -> None:
    blocking = Blocking()

    async def real() -> str:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__name__

    async def virtual() -> tuple[str, float]:
        return blocking.run(real()), asyncio.get_running_loop().time()

    name, passed = run_virtually(virtual(), random.Random(1))
    blocking.close()
    assert (name == "VirtualLoop", passed) == (False, 0.0)


def test_the_order_in_which_a_group_ends_its_tasks_depends_on_no_address() -> None:
    async def ended(runners: int) -> list[int]:
        order: list[int] = []

        async def wait(number: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                order.append(number)

        async def begin() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(runners):
                    group.create_task(wait(number))
                await asyncio.sleep(0)
                raise ValueError

        with pytest.raises(ExceptionGroup):
            await begin()
        return order

    kept: list[object] = []  # so that the tasks of the next run lie elsewhere
    orders: set[tuple[int, ...]] = set()
    for _ in range(20):
        orders.add(tuple(run_virtually(ended(9), random.Random(1))))
        kept.append([object() for _ in range(random.randrange(100_000))])
    assert len(orders) == 1
