"""Do the loops of a process end together, in order, and never silently?"""

import asyncio
import io
import json
from collections.abc import Callable, Coroutine

import asyncpg
import pytest

from services.runtime import lifecycle
from services.runtime.errors import StoppedError, TransientError
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import Log

Loop = Callable[[asyncio.Event], Coroutine[None, None, None]]


def a_lifecycle(*, stop_seconds: float = 5.0) -> Lifecycle:
    return Lifecycle(Log("test", stream=io.StringIO()), stop_seconds)


async def patient(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def test_what_gives_out_ends_after_what_takes_in() -> None:
    order: list[str] = []
    life = a_lifecycle()

    async def taking(stopping: asyncio.Event) -> None:
        life.stopping.set()
        await stopping.wait()
        await asyncio.sleep(0)
        order.append("consumer")

    async def giving(closing: asyncio.Event) -> None:
        await closing.wait()
        order.append("relay")

    await life.run({"consumer": taking}, {"relay": giving})

    assert order == ["consumer", "relay"]


async def test_a_bug_in_one_loop_ends_all_and_comes_out_as_it_is() -> None:
    async def buggy(_stopping: asyncio.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await a_lifecycle().run({"consumer": patient, "timers": buggy}, {"relay": patient})


async def test_a_loop_that_ends_by_itself_stops_the_process() -> None:
    async def short(_stopping: asyncio.Event) -> None:
        return

    with pytest.raises(StoppedError, match="the loop timers ended by itself"):
        await a_lifecycle().run({"consumer": patient, "timers": short}, {"relay": patient})


async def test_a_cancellation_that_escapes_from_a_library_is_no_end_in_good_order() -> None:
    async def cancelled(_stopping: asyncio.Event) -> None:
        raise asyncio.CancelledError

    with pytest.raises(StoppedError, match="the loop relay was cancelled from inside"):
        await a_lifecycle().run({"consumer": patient}, {"relay": cancelled})


@pytest.mark.parametrize(
    "problem",
    [OSError("gone"), TransientError("later"), asyncpg.DeadlockDetectedError("x"), asyncpg.InterfaceError("is closed")],
)
async def test_a_loop_goes_on_after_a_server_was_away(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "PAUSE_SECONDS_MAX", 0.001)
    life, runs = a_lifecycle(), []

    async def shaky(_stopping: asyncio.Event) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise problem
        life.stopping.set()

    await life.run({"matcher": shaky}, {"relay": patient})

    assert len(runs) == 3


async def test_a_misuse_of_the_driver_is_a_bug_and_not_a_server_away() -> None:
    async def misusing(_stopping: asyncio.Event) -> None:
        raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")

    with pytest.raises(asyncpg.InterfaceError):
        await a_lifecycle().run({"matcher": misusing}, {"relay": patient})


async def test_a_stop_that_takes_too_long_ends_by_force() -> None:
    life = a_lifecycle(stop_seconds=0.01)

    async def stubborn(_stopping: asyncio.Event) -> None:
        life.stopping.set()
        await asyncio.Event().wait()

    with pytest.raises(StoppedError, match="took longer than"):
        await life.run({"consumer": stubborn}, {"relay": patient})


def test_a_log_line_is_one_json_object_that_says_who_speaks() -> None:
    stream = io.StringIO()
    log = Log("router", "warning", stream)

    log.info("batch", records=1)
    log.warning("publish_failed", problem="two\nlines \x1b[31m")

    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["service"], told["event"], told["level"]) == ("router", "publish_failed", "warning")


async def test_work_is_done_or_given_up_when_the_event_comes_first() -> None:
    event = asyncio.Event()
    assert await lifecycle.done_before(event, asyncio.sleep(0))

    asyncio.get_running_loop().call_soon(event.set)
    assert not await lifecycle.done_before(event, patient(asyncio.Event()))


async def test_work_that_fails_fails_as_it_is() -> None:
    async def failing() -> None:
        raise TransientError("away")

    with pytest.raises(TransientError, match="away"):
        await lifecycle.done_before(asyncio.Event(), failing())


async def test_the_log_says_what_is_waited_for() -> None:
    lines = io.StringIO()
    life = Lifecycle(Log("test", stream=lines), 5.0)

    async def waiting(_stopping: asyncio.Event) -> None:
        life.stopping.set()
        raise TransientError("nobody at 127.0.0.1:1")

    await life.run({"waiting": waiting}, {})

    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["problem"] for line in said if line["event"] == "loop_interrupted"] == ["nobody at 127.0.0.1:1"]
