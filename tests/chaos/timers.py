"""Rows 3, 9, 52 and 53: what when timers are due while followup dies, stands still, is flooded or changes its mind?"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.driver import Driver
from tests.support.history import History, Verdict

OPENED_SECONDS = 60.0
LEAD_SECONDS = 3.0
AFTER_SECONDS = 2.0
BREACHED = "caseloop.promise.breached.v1"
MADE = "caseloop.case.promise_made.v1"


@row("3", "followup is killed twice while hundreds of timers fire")
async def followup_dies_while_timers_fire(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        await _promised(rig, driver, 300)
        await rig.wait(LEAD_SECONDS)
        await rig.kill("followup")
        await rig.kill("followup")
        await rig.wait(AFTER_SECONDS)


@row("9", "followup stands still when its timers are due, and a replica takes over")
async def the_claimer_stands_still(rig: Rig) -> None:
    await rig.replica("followup")
    async with rig.another_driver() as driver:
        await _promised(rig, driver, 200)
        await rig.wait(LEAD_SECONDS - 0.2)
        pid = await rig.hit("followup", signal.SIGSTOP)
        await rig.wait(9.0)
        os.kill(pid, signal.SIGCONT)
        await rig.wait(AFTER_SECONDS)


@row("52", "a thousand timers are due in one moment", late_seconds=10.0)
async def a_thundering_herd(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        await _promised(rig, driver, 1000)
        await rig.wait(LEAD_SECONDS + AFTER_SECONDS)


@row("53", "promises are kept and moved in the moment in which they run out")
async def timers_change_while_they_fire(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        promises = await _promised(rig, driver, 300)
        due = datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS)
        await asyncio.gather(*(_change(rig, driver, due, *promise) for promise in promises.items()))
        await rig.wait(AFTER_SECONDS)
    rig.checks.clear()
    rig.must(lambda history, verdict: _one_end_each(rig, history, verdict, set(promises.values())))


async def _promised(rig: Rig, driver: Driver, number: int) -> Mapping[str, str]:
    """Open so many cases and promise something for one moment on each; returns promise by case."""
    for _ in range(number):
        await driver.contact()
        await asyncio.sleep(0)
    await rig.until(lambda: len(driver.own_cases()) >= number, OPENED_SECONDS)
    due = (datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS)).isoformat().replace("+00:00", "Z")
    promises = {case_id: str(uuid4()) for case_id in driver.own_cases()}
    for case_id, promise_id in promises.items():
        await driver.command("make_promise", case_id, promise_id=promise_id, what="a call", due_at=due)
    rig.must(lambda history, verdict: all_fired(rig, history, verdict, list(promises.values())))
    return promises


def all_fired(rig: Rig, history: History, verdict: Verdict, promises: Sequence[str]) -> None:
    """Each promise that was taken ran out once, and the journal says so once."""
    made = _made(rig, history, verdict, promises)
    for topic, kind in (("followups", BREACHED), ("case.events", "caseloop.case.promise_breached.v1")):
        fired = Counter(
            record.data["promise_id"]
            for record in {record.id: record for record in history.on(topic) if record.kind == kind}.values()
        )
        for promise_id in made:
            if fired[promise_id] != 1:
                verdict.add("doubled" if fired[promise_id] else "lost", promise_id, f"{kind} {fired[promise_id]} times")
    _lateness(rig, verdict)


def _made(rig: Rig, history: History, verdict: Verdict, promises: Collection[str]) -> set[str]:
    """Return the promises that the router took: on a slow machine one may come when its moment is over already."""
    taken = {record.data["promise_id"] for record in history.on("case.events") if record.kind == MADE}
    made = taken & set(promises)
    rig.figures["promises"] = len(made)
    if len(made) < len(promises) // 2:
        verdict.add("stuck", "the row itself", f"only {len(made)} of {len(promises)} promises were taken in time")
    return made


def _lateness(rig: Rig, verdict: Verdict) -> None:
    late = sorted(verdict.lateness_seconds)
    rig.figures["timers"] = len(late)
    if late:
        rig.figures["late_p99_seconds"] = round(late[int(len(late) * 0.99) - 1], 3)
        rig.figures["late_most_seconds"] = round(late[-1], 3)


async def _change(rig: Rig, driver: Driver, due: datetime, case_id: str, promise_id: str) -> None:
    """Keep or move a promise within a fifth of a second of its end."""
    left = (due - datetime.now(UTC)).total_seconds() + rig.between(-0.2, 0.2)
    await rig.wait(max(left, 0.0))
    if rig.dice.random() < 0.5:
        await driver.command("keep_promise", case_id, promise_id=promise_id)
        return
    later = (datetime.now(UTC) + timedelta(seconds=1.0)).isoformat().replace("+00:00", "Z")
    await driver.command("move_promise", case_id, promise_id=promise_id, due_at=later, reason="it takes longer")


def _one_end_each(rig: Rig, history: History, verdict: Verdict, promises: set[str]) -> None:
    """A promise was kept or broken in the journal, never both and never neither."""
    ends: Counter[str] = Counter()
    for record in {record.id: record for record in history.on("case.events")}.values():
        if record.kind in {"caseloop.case.promise_kept.v1", "caseloop.case.promise_breached.v1"}:
            ends[record.data["promise_id"]] += 1
    for promise_id in _made(rig, history, verdict, promises):
        if ends[promise_id] != 1:
            verdict.add("doubled" if ends[promise_id] else "lost", f"promise {promise_id}", f"{ends[promise_id]} ends")
    rig.figures["kept"] = sum(record.kind == "caseloop.case.promise_kept.v1" for record in history.on("case.events"))
    _lateness(rig, verdict)
