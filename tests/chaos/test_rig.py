"""Do the tools of the chaos runs do what they say: the broken ways to a server, the figures, the verdict of a row?"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.flooding import MEMORY_MIB, SERVICE_MIB, too_large
from tests.chaos.load import pace, slowest
from tests.chaos.registry import rows
from tests.chaos.report import ZERO, is_green, is_unharmed
from tests.chaos.rig import SERVICE_NAMES
from tests.chaos.timers import HERD, HERD_LATE_SECONDS, PROMISES, herd_is_whole
from tests.support.driver import Driver, Journey
from tests.support.history import Verdict
from tests.support.proxy import BLACK_HOLE, HEALTHY, Door, Faults, door_at

SOON = 0.3
FINE: dict[str, object] = {**dict.fromkeys(ZERO, 0), "recovery_seconds": 3.0, "throughput_ratio": 1.0, "slow": []}


@asynccontextmanager
async def echo_behind(faults: Faults) -> AsyncIterator[tuple[Door, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connection to a server that says everything back, through a door with these faults."""
    talks: set[asyncio.Task[None]] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(echo(reader, writer))
        talk.add_done_callback(lambda _: writer.transport.abort())
        talks.add(talk)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        async with door_at("127.0.0.1", server.sockets[0].getsockname()[1]) as door:
            door.faults = faults
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            yield door, reader, writer
            writer.transport.abort()
        await asyncio.wait(talks, timeout=5)
        await asyncio.gather(*talks, return_exceptions=True)


async def said(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(SOON):
        return await reader.readexactly(count)


async def test_a_healthy_door_changes_nothing() -> None:
    async with echo_behind(HEALTHY) as (_, reader, writer):
        writer.write(b"hello")
        assert await said(reader, 5) == b"hello"


async def test_a_connection_is_reset_after_its_bytes() -> None:
    async with echo_behind(Faults(cut_after_bytes=8)) as (_, reader, writer):
        writer.write(b"hello")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await said(reader, 5)


async def test_a_connection_is_reset_behind_a_word() -> None:
    async with echo_behind(Faults(cut_behind=b"COMMIT")) as (_, reader, writer):
        writer.write(b"SELECT")
        assert await said(reader, 6) == b"SELECT"
        writer.write(b"COMMIT;")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await said(reader, 7)


@pytest.mark.parametrize("faults", [BLACK_HOLE, Faults(swallowed=frozenset({"out"})), Faults(bytes_per_second=2)])
async def test_nothing_comes_back(faults: Faults) -> None:
    async with echo_behind(faults) as (_, reader, writer):
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await said(reader, 5)


async def test_a_way_that_has_swallowed_something_does_not_go_on() -> None:
    async with echo_behind(Faults(swallowed=frozenset({"out"}))) as (door, reader, writer):
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await said(reader, 5)
        door.faults = HEALTHY
        writer.write(b"again")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await said(reader, 5)


def test_the_pace_tells_recovery_ratio_and_backlog() -> None:
    sent = [at / 10 for at in range(400)]
    still = [at for at in sent if not 10 <= at < 15]
    figures = pace(sent, still, (10.0, 12.0), 5.0)
    assert figures.recovery_seconds == pytest.approx(3.0, abs=0.11)
    assert figures.throughput_ratio == pytest.approx(1.0, abs=0.06)
    assert figures.backlog >= 50
    assert pace(sent, [at for at in sent if at < 10], (10.0, 12.0), 5.0).recovery_seconds is None


def test_the_slowest_case_may_be_one_that_is_still_open() -> None:
    driver = Driver("nowhere", "run")
    now = time.perf_counter()
    driver.journeys |= {f"done-{number}": Journey(now - 20.0, closed=now - 19.0) for number in range(50)}
    assert slowest(driver) == pytest.approx(1.0)
    driver.journeys["open"] = Journey(now - 30.0)
    assert slowest(driver) > 10.0
    assert slowest(driver, now - 25.0) == pytest.approx(1.0)
    assert slowest(driver, now - 25.0, now - 21.0) == 0.0


def test_memory_has_a_bound() -> None:
    allowed = {**dict.fromkeys(SERVICE_NAMES, SERVICE_MIB), **MEMORY_MIB}
    assert not too_large(allowed)
    for name, mib in allowed.items():
        assert too_large({**allowed, name: mib + 1}) == {name: mib + 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"recovery_seconds": None},
        {"recovery_seconds": 11},
        {"throughput_ratio": 0.9},
        {"slow": ["other cases: p99 9 s"]},
    ],
)
def test_a_row_that_was_too_slow_is_red_and_unharmed(wrong: dict[str, object]) -> None:
    assert not is_green({**FINE, **wrong})
    assert is_unharmed({**FINE, **wrong})


@pytest.mark.parametrize("kind", ZERO)
def test_a_row_in_which_anything_came_to_harm_is_red_whatever_its_speed(kind: str) -> None:
    assert is_green(FINE)
    assert not is_green({**FINE, kind: 1})
    assert not is_unharmed({**FINE, kind: 1})


def test_rows_have_the_numbers_of_the_matrix() -> None:
    assert len({row.number for row in rows()}) == len(rows()) > 5


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, {}),
        ({"fired": HERD - PROMISES - 1, "timers": HERD - PROMISES - 1}, {"lost": 1}),
        ({"waiting": 1}, {"lost": 1}),
        ({"parked": 1}, {"lost": 1}),
        ({"fired": HERD - PROMISES + 1}, {"doubled": 1}),
        ({"early": 1}, {"early": 1}),
        ({"late_seconds": HERD_LATE_SECONDS + 1}, {"late": 1}),
    ],
)
def test_one_timer_of_the_herd_that_is_lost_doubled_early_or_late_is_seen(
    changed: dict[str, float], found: dict[str, int]
) -> None:
    number = HERD - PROMISES
    counted = {"fired": number, "timers": number, "early": 0, "late_seconds": 9.0, "waiting": 0, "parked": 0}
    verdict = Verdict()

    herd_is_whole(verdict, {**counted, **changed})

    assert verdict.kinds() == found
