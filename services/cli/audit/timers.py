"""Is a timer set for everything that waits, and has none been due for long?"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.cli.audit.casefile import TIMER_CHECK
from services.cli.audit.findings import Finding, Findings
from services.cli.audit.repairs import SetTimer
from services.cli.audit.tables import PAGE, looking
from services.runtime.database import Connection

OVERDUE = timedelta(seconds=60)
OVERDUE_MAX = 200
"""So many timers of a service are named; all of them have one cause."""
TIMED = ("followup", "router")
_FIRST = UUID(int=0)

SET = """
-- audit.timers_set: which of these timers are set, or wait in the parking lot?
SELECT timer_id FROM timers WHERE timer_id = ANY ($1::uuid[])
UNION ALL
SELECT timer_id FROM parked WHERE timer_id = ANY ($1::uuid[]) AND status IN ('retry', 'dead')
"""

OVERDUE_TIMERS = """
-- audit.timers_overdue: those that should have fired long ago, the latest first
SELECT timer_id, kind, key, due_at FROM timers WHERE due_at < $1 ORDER BY due_at, timer_id LIMIT $2
"""

WAITING = """
-- audit.waiting: callbacks and surveys that wait for an answer, and whether their case has a timer
SELECT handle_id, case_id,
    EXISTS (SELECT FROM timers WHERE timers.timer_id = handles.case_id)
    OR EXISTS (SELECT FROM parked WHERE parked.timer_id = handles.case_id AND status IN ('retry', 'dead')) AS timed
FROM handles WHERE handle_id > $1 ORDER BY handle_id LIMIT $2
"""


async def set_timers(connection: Connection, timer_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these timers are set, or parked for a person to see."""
    return {row["timer_id"] for row in await connection.fetch(SET, timer_ids)}


async def check_timers(dsn: str, findings: Findings, now: datetime) -> int:
    """Add what is overdue or waits without a timer, and return how many callbacks and surveys wait."""
    for service in TIMED:
        async with looking(dsn, service) as connection:
            for row in await connection.fetch(OVERDUE_TIMERS, now - OVERDUE, OVERDUE_MAX):
                late = (now - row["due_at"]).total_seconds()
                where = f"{service}: timer {row['kind']} of case {row['key']}"
                advice = f"is {service} running? `caseloop status`; it fires by itself as soon as it is"
                problem = f"it should have fired {late:.0f} s ago"
                findings.add(Finding(TIMER_CHECK, where, problem, advice, _case_of(row["key"])))
    return await _check_waiting(dsn, findings)


async def _check_waiting(dsn: str, findings: Findings) -> int:
    waiting, after, untimed = 0, _FIRST, set[UUID]()
    async with looking(dsn, "followup") as connection:
        while rows := await connection.fetch(WAITING, after, PAGE):
            after, waiting = rows[-1]["handle_id"], waiting + len(rows)
            untimed |= {row["case_id"] for row in rows if not row["timed"]}
    _report(untimed, findings)
    return waiting


def _report(case_ids: Iterable[UUID], findings: Findings) -> None:
    for case_id in sorted(case_ids):
        problem = "a callback or survey of it waits and it has no timer"
        repair = SetTimer("followup", "case_wake", case_id, case_id)
        advice = "`caseloop audit --repair` sets it anew"
        findings.add(Finding(TIMER_CHECK, f"case {case_id}", problem, advice, case_id, None, repair))


def _case_of(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
