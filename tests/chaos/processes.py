"""Rows 1 to 11: what when processes die, stand still, stop and start under load?"""

import asyncio
import json
import os
import signal
import time

import psutil

from services.runtime.subscription import SESSION_MILLISECONDS
from tests.chaos.registry import row
from tests.chaos.rig import SERVICE_NAMES, Rig

INSIDE = ("after_consume", "after_validate", "before_commit")
BEHIND = ("after_commit", "after_produce", "before_offset_commit")
CRASH_SECONDS = 40.0
SESSION_SECONDS = SESSION_MILLISECONDS / 1000
REMEMBERED = "CREATE TEMP TABLE remembered AS SELECT * FROM koff WHERE topic = 'contacts'"
OVERTAKEN = (
    "SELECT bool_and(now.next_offset > was.next_offset) FROM remembered was JOIN koff now USING (topic, partition)"
)
"""Every partition has gone on, so whichever the zombie has in hand is another's by now."""


async def _crash_at(rig: Rig, service: str, *points: str) -> None:
    """Let a replica die at each of these points, exactly there, and return when all are dead."""
    armed = {point: f"{point}:{rig.dice.randint(1, 3)}" for point in points}
    dying = [await rig.replica(service, CASELOOP_CRASH_AT=at) for at in armed.values()]
    ended = await asyncio.gather(*(rig.ended(process, CRASH_SECONDS) for process in dying))
    if any(status != -signal.SIGKILL for status in ended):
        raise AssertionError(f"{service}: replicas armed with {armed} ended with {ended}")


@row("1", "intake is killed at random, and at three of the six crash points, by seed")
async def intake_dies(rig: Rig) -> None:
    await _crash_at(rig, "intake", *(INSIDE if rig.seed % 2 else BEHIND))
    await rig.kill("intake")


@row("2", "router is killed at random, and at the other three crash points")
async def router_dies(rig: Rig) -> None:
    await _crash_at(rig, "router", *(BEHIND if rig.seed % 2 else INSIDE))
    await rig.kill("router")


@row("5", "every relay is killed between the broker's ack and the delete")
async def relays_die_after_the_ack(rig: Rig) -> None:
    await asyncio.gather(
        *(_crash_at(rig, service, "after_produce") for service in ("intake", "router", "followup", "notify"))
    )


@row("6", "one of two replicas of intake and router is killed every 3 s")
async def replicas_die_again_and_again(rig: Rig) -> None:
    for round_number in range(4):
        replicas = [await rig.replica(service) for service in ("intake", "router")]
        await rig.wait(3.0)
        if round_number % 2:
            await rig.kill("intake", "router")
        for process in replicas:
            process.kill()


@row("7", "all five services are killed at once")
async def all_die(rig: Rig) -> None:
    await rig.kill(*SERVICE_NAMES)


@row(
    "8", "router stands still in the middle of a batch beyond its session, another takes over, then the zombie goes on"
)
async def zombie_router(rig: Rig) -> None:
    announced = rig.system.data_dir / "zombie.json"
    zombie = await rig.replica(
        "router", CASELOOP_CRASH_AT="after_validate:3:STOP", CASELOOP_ANNOUNCE_FILE=str(announced)
    )
    await rig.until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED)
    async with rig.database("router") as database:
        await database.execute(REMEMBERED)
        await rig.wait(SESSION_SECONDS)
        await rig.until_table(database, OVERTAKEN, wanted=True, seconds=60.0)
    zombie.send_signal(signal.SIGCONT)
    port = json.loads(announced.read_text())["port"]
    rejected = 0.0
    async with asyncio.timeout(30):
        while not rejected:
            await rig.wait(0.2)
            rejected = await rig.metric(f"http://127.0.0.1:{port}", "caseloop_fenced_total")
    rig.figures["zombie_writes_rejected"] = round(rejected)


@row("10", "every service gets SIGTERM under full load")
async def all_end_in_order(rig: Rig) -> None:
    began, longest = time.perf_counter(), 0.0

    async def ended(service: str) -> None:
        nonlocal longest
        pid = await rig.hit(service, signal.SIGTERM)
        await rig.until(lambda: not _is_there(pid), 20)
        longest = max(longest, time.perf_counter() - began)
        await rig.restarted(service, pid)

    await asyncio.gather(*(ended(service) for service in SERVICE_NAMES))
    rig.figures["longest_exit_seconds"] = round(longest, 2)
    rig.must(lambda _, verdict: None if longest <= 10 else verdict.add("late", "SIGTERM", f"exit took {longest:.1f} s"))


@row("11", "the services are restarted one by one")
async def rolling_restart(rig: Rig) -> None:
    for service in SERVICE_NAMES:
        pid = await rig.hit(service, signal.SIGTERM)
        await rig.restarted(service, pid)
        await rig.wait(1.5)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
