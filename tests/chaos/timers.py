"""Rows 3, 9, 52 and 53: what when timers are due while followup dies, stands still, is flooded or changes its mind?"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.chaos.load import slowest
from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.driver import Driver
from tests.support.history import History, Verdict

OPENED_SECONDS = 60.0
LEAD_SECONDS = 3.0
AFTER_SECONDS = 2.0
BREACHED = "caseloop.promise.breached.v1"
MADE = "caseloop.case.promise_made.v1"
HERD, PROMISES = 100_000, 1000
"""Timers that are due in one moment, and how many of them break a promise."""
HERD_LEAD_SECONDS = 12.0
"""Time to make the promises and to set the herd."""
HERD_LATE_SECONDS = 45.0
"""Two processors that everything else shares fire some 3000 a second; alone, followup fires seven times as many."""
HERD_SECONDS = 8.0
"""So long it is watched whether the others go on."""
HERD_SECONDS_MAX = 60.0
SHARE = 0.5
"""Of the cases that begin beside the herd, so many at least are closed meanwhile."""

WITNESS = """
CREATE TABLE herd (timer_id uuid NOT NULL, generation bigint NOT NULL, due_at timestamptz NOT NULL,
    fired_at timestamptz NOT NULL);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO herd SELECT timer_id, generation, due_at, clock_timestamp() FROM gone WHERE payload ? 'herd';
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER DELETE ON timers REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION witness()
"""
GATHER = """
INSERT INTO timers (timer_id, due_at, generation, kind, key, payload)
SELECT id, $2, nextval('timer_generations'), 'case_wake', id::text, '{"herd": 1}'
FROM (SELECT md5('herd' || number)::uuid AS id FROM generate_series(1, $1::integer) AS number) AS ids
"""
GONE = """
SELECT EXISTS (SELECT FROM herd) AND NOT EXISTS (SELECT FROM timers WHERE due_at = (SELECT due_at FROM herd LIMIT 1))
"""
COUNTED = """
SELECT count(*) AS fired, count(DISTINCT timer_id) AS timers, count(*) FILTER (WHERE fired_at < due_at) AS early,
    coalesce(extract(epoch FROM max(fired_at - due_at)), 0)::float8 AS late_seconds,
    (SELECT count(*) FROM timers WHERE payload ? 'herd') AS waiting,
    (SELECT count(*) FROM parked WHERE topic = 'timers') AS parked
FROM herd
"""


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


@row("52", "a hundred thousand timers are due in one moment", late_seconds=HERD_LATE_SECONDS)
async def a_thundering_herd(rig: Rig) -> None:
    """A thousand of them break a promise, which the whole loop hears of; the others are of cases that are gone.

    All are fired by followup as any timer is, and a witness in its database counts them. A hundred thousand broken
    promises would be half a million messages, and the row would measure how fast the loop takes those.
    """
    async with rig.another_driver() as driver, rig.database("followup") as database:
        await database.execute(WITNESS)
        await _opened(rig, driver, PROMISES)
        due = datetime.now(UTC) + timedelta(seconds=HERD_LEAD_SECONDS)
        promises = await _promise(driver, due)
        await database.execute(GATHER, HERD - PROMISES, due)
        left = (due - datetime.now(UTC)).total_seconds()
        rig.hurt(HERD if left > 0 else 0, HERD, "timers_set_in_time")
        await rig.wait(left)
        began = time.perf_counter()
        await rig.goes_on(HERD_SECONDS, SHARE)
        await rig.until_table(database, GONE, wanted=True, seconds=HERD_SECONDS_MAX)
        counted = dict(await database.fetchrow(COUNTED) or {})
    rig.must(lambda history, verdict: all_fired(rig, history, verdict, list(promises.values()), least=PROMISES))
    rig.must(lambda _, verdict: herd_is_whole(verdict, counted))
    rig.figures["herd"] = counted["fired"]
    rig.figures["herd_late_most_seconds"] = round(counted["late_seconds"], 2)
    rig.must(lambda *_: rig.figures.update(others_p99_seconds=slowest(rig.driver, began, began + HERD_SECONDS)))


@row("53", "promises are kept and moved in the moment in which they run out")
async def timers_change_while_they_fire(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        promises = await _promised(rig, driver, 300)
        due = datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS)
        await asyncio.gather(*(_change(rig, driver, due, *promise) for promise in promises.items()))
        await rig.wait(AFTER_SECONDS)
    rig.checks.clear()
    rig.must(lambda history, verdict: _one_end_each(rig, history, verdict, set(promises.values())))


def herd_is_whole(verdict: Verdict, counted: Mapping[str, float]) -> None:
    """Every timer of cases that are gone fired once, and none before its time."""
    number = HERD - PROMISES
    if counted["timers"] != number or counted["waiting"] or counted["parked"]:
        verdict.add("lost", "the herd", f"{counted} of {number}")
    if counted["fired"] != counted["timers"]:
        verdict.add("doubled", "the herd", f"{counted['timers']} timers fired {counted['fired']} times")
    if counted["early"]:
        verdict.add("early", "the herd", f"{counted['early']} fired before their time")
    if counted["late_seconds"] > HERD_LATE_SECONDS:
        verdict.add("late", "the herd", f"the last one fired {counted['late_seconds']:.1f} s after its time")


async def _promised(rig: Rig, driver: Driver, number: int) -> Mapping[str, str]:
    """Open so many cases and promise something for one moment on each; returns promise by case."""
    await _opened(rig, driver, number)
    promises = await _promise(driver, datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS))
    rig.must(lambda history, verdict: all_fired(rig, history, verdict, list(promises.values())))
    return promises


async def _opened(rig: Rig, driver: Driver, number: int) -> None:
    for _ in range(number):
        await driver.contact()
        await asyncio.sleep(0)
    await rig.until(lambda: len(driver.own_cases()) >= number, OPENED_SECONDS)


async def _promise(driver: Driver, due: datetime) -> Mapping[str, str]:
    due_at = due.isoformat().replace("+00:00", "Z")
    promises = {case_id: str(uuid4()) for case_id in driver.own_cases()}
    for case_id, promise_id in promises.items():
        await driver.command("make_promise", case_id, promise_id=promise_id, what="a call", due_at=due_at)
    return promises


def all_fired(rig: Rig, history: History, verdict: Verdict, promises: Sequence[str], *, least: int = 0) -> None:
    """Each promise that was taken ran out once, and the journal says so once."""
    made = _made(rig, history, verdict, promises, least or len(promises) // 2)
    for topic, kind in (("followups", BREACHED), ("case.events", "caseloop.case.promise_breached.v1")):
        fired = Counter(
            record.data["promise_id"]
            for record in {record.id: record for record in history.on(topic) if record.kind == kind}.values()
        )
        for promise_id in made:
            if fired[promise_id] != 1:
                verdict.add("doubled" if fired[promise_id] else "lost", promise_id, f"{kind} {fired[promise_id]} times")
    _lateness(rig, verdict)


def _made(rig: Rig, history: History, verdict: Verdict, promises: Collection[str], least: int) -> set[str]:
    """Return the promises that the router took: on a slow machine one may come when its moment is over already."""
    taken = {record.data["promise_id"] for record in history.on("case.events") if record.kind == MADE}
    made = taken & set(promises)
    rig.figures["promises"] = len(made)
    if len(made) < least:
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
    for promise_id in _made(rig, history, verdict, promises, len(promises) // 2):
        if ends[promise_id] != 1:
            verdict.add("doubled" if ends[promise_id] else "lost", f"promise {promise_id}", f"{ends[promise_id]} ends")
    rig.figures["kept"] = sum(record.kind == "caseloop.case.promise_kept.v1" for record in history.on("case.events"))
    _lateness(rig, verdict)
