"""How does one row go: load, harm, load, rest, verdict?"""

import asyncio
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import asyncpg
import httpx

from tests.chaos.load import pace
from tests.chaos.registry import Row
from tests.chaos.rig import Rig, Servers
from tests.chaos.staging import rig_for
from tests.support.driver import sent_by
from tests.support.history import Bounds, Verdict, judge
from tests.support.history.recording import quiet, record

WARM_SECONDS = 30.0
CLOSED_SECONDS = 90.0
QUIET_SECONDS = 60.0
SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Length:
    """How long there is load around the harm, in seconds."""

    before: float
    after_least: float
    after: float
    """The load goes on for so long after the harm, less when all is well before: recovery must be seen."""


WHOLE = Length(before=3.0, after_least=4.0, after=14.0)
SHORT = Length(before=0.5, after_least=0.5, after=0.5)
"""Long enough for the harm and what it does to cases, too short to tell a pace."""


async def play(row: Row, servers: Servers, seed: int, rate: float | None, length: Length = WHOLE) -> dict[str, Any]:
    """Play a row once and return its figures."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"caseloop-row{row.number}-", ignore_cleanup_errors=True) as folder:
        async with rig_for(row, servers, Path(folder) / "up", seed, rate or row.rate) as rig:
            figures = await _played(row, rig, length)
    return {**figures, "seed": seed, "seconds": round(time.monotonic() - began, 1)}


async def _played(row: Row, rig: Rig, length: Length) -> dict[str, Any]:
    async with asyncio.TaskGroup() as group:
        load = group.create_task(rig.load.run())
        await rig.load.steady(WARM_SECONDS)
        before = time.perf_counter()
        await rig.wait(length.before)
        began = time.perf_counter()
        await _acted(row, rig)
        ended = time.perf_counter()
        await rig.wait(length.after_least)
        await rig.load.steady(length.after - length.after_least)
        rig.load.ended.set()
        await load
    verdict = await _judged(row, rig)
    journeys = rig.driver.journeys.values()
    speed = pace(
        [each.sent for each in journeys], [each.closed for each in journeys if each.closed], (began, ended), before
    )
    return {
        **_counts(verdict),
        "recovery_seconds": speed.recovery_seconds,
        "throughput_ratio": speed.throughput_ratio,
        "backlog": speed.backlog,
        "fault_seconds": round(ended - began, 1),
        "cases": verdict.cases,
        "events": verdict.events,
        "repeats": verdict.repeats,
        **rig.figures,
        "slow": rig.slow,
        "findings": [str(finding) for finding in verdict.findings[:SHOWN_MAX]],
    }


async def _acted(row: Row, rig: Rig) -> None:
    """Do the harm; a row that cannot is red, and the others go on."""
    try:
        await row.act(rig)
    except (AssertionError, OSError, SubprocessError, httpx.HTTPError, asyncpg.PostgresError) as problem:
        places = [each for each in traceback.extract_tb(problem.__traceback__) if "tests/chaos" in each.filename]
        said = f"{type(problem).__name__} in line {places[-1].lineno} of {places[-1].name}: {problem}"
        rig.must(lambda _, verdict: verdict.add("stuck", "the row itself", said))


async def _judged(row: Row, rig: Rig) -> Verdict:
    """Wait until everything is over, and judge what happened."""
    missing = await _unclosed(rig)
    calm = await quiet(rig.addresses, QUIET_SECONDS)
    history = await record(rig.addresses, sent_by(rig.driver))
    # Many cases take a minute; a loop that stands still so long lets the requests of the driver's clients time out.
    verdict = await asyncio.to_thread(judge, history, Bounds(row.late_seconds, rig.parked))
    if missing:
        verdict.add("stuck", "the load", f"{missing} cases were not closed within {CLOSED_SECONDS:.0f} s")
    if not calm:
        verdict.add("stuck", "the product", f"it did not come to rest within {QUIET_SECONDS:.0f} s")
    for check in rig.checks:
        check(history, verdict)
    return verdict


async def _unclosed(rig: Rig) -> int:
    goal = len(rig.driver.journeys)
    try:
        await rig.driver.until_closed(goal, CLOSED_SECONDS)
    except TimeoutError:
        return goal - rig.driver.closed
    return 0


def _counts(verdict: Verdict) -> Mapping[str, int]:
    return {
        "lost": verdict.count("lost", "unseen", "skipped", "stuck"),
        "doubled": verdict.count("doubled"),
        "disordered": verdict.count("reordered", "gapped", "forged"),
        "early": verdict.count("early"),
        "late": verdict.count("late"),
    }
