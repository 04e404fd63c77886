"""How does one row go: load, harm, load, rest, verdict?"""

import asyncio
import tempfile
import time
import traceback
from collections.abc import Mapping
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
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 14.0
AFTER_LEAST_SECONDS = 4.0
"""The load goes on for so long after the harm, less when all is well before: recovery must be seen."""
CLOSED_SECONDS = 90.0
QUIET_SECONDS = 60.0
SHOWN_MAX = 10


async def play(row: Row, servers: Servers, seed: int, rate: float | None) -> dict[str, Any]:
    """Play a row once and return its figures."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"caseloop-row{row.number}-", ignore_cleanup_errors=True) as folder:
        async with rig_for(row, servers, Path(folder) / "up", seed, rate or row.rate) as rig:
            figures = await _played(row, rig)
    return {**figures, "seed": seed, "seconds": round(time.monotonic() - began, 1)}


async def _played(row: Row, rig: Rig) -> dict[str, Any]:
    async with asyncio.TaskGroup() as group:
        load = group.create_task(rig.load.run())
        await rig.load.steady(WARM_SECONDS)
        before = time.perf_counter()
        await rig.wait(BEFORE_SECONDS)
        began = time.perf_counter()
        await _acted(row, rig)
        ended = time.perf_counter()
        await rig.wait(AFTER_LEAST_SECONDS)
        await rig.load.steady(AFTER_SECONDS - AFTER_LEAST_SECONDS)
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
    verdict = judge(history, Bounds(row.late_seconds, rig.parked))
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
