"""What can be asked of the read model?"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from contracts import router
from contracts.case_number import parse_case_number
from contracts.registry import MESSAGES
from contracts.values import OVER
from services.desk.domain.board import Board, JournalEvent
from services.desk.domain.tables import Departments, FollowUp, Row, demand_row, follow_up_row, process_row
from services.desk.domain.wording import Wording
from services.runtime.database import Connection, Pool

PAGE = 500
_FIRST = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
_NOBODY = UUID(int=0)
_LAST = datetime.fromisoformat("9999-12-31T23:59:59+00:00")
_EVERYBODY = UUID(int=2**128 - 1)
"""Places before and after all others: a place that is always there can begin a walk along an index."""

_COLUMNS = ", ".join(f"cases.{name}" for name in Board._fields)

_BOARD = f"""
SELECT {_COLUMNS}, (SELECT data FROM timeline WHERE case_id = cases.case_id AND version = 1) AS opened
FROM cases
"""  # noqa: S608 - the columns are this module's own
"""A subselect and no join: no plan for whatever values reads the whole timeline for the few rows of a page."""

_STATE = "($4::text IS NULL OR state = $4)"
_DEPARTMENT = "($5::text IS NULL OR department = $5)"
_NEWEST = "opened_at DESC, case_id DESC"
_NEWEST_OF = "opened_at DESC NULLS LAST, case_id DESC NULLS LAST"
"""The same, since neither is ever absent, in words that only the indexes of departments and agents have: a walk through
everybody's cases seems cheap where many have the department, whichever of them stand in front."""


def _page(name: str, *conditions: str, order: str = _NEWEST) -> str:
    """Return the statement of a page of the board, newest first, from a place on (1 and 2), so many (3).

    The first condition is that by which an index leads to the rows. One that holds for every row of such a page is left
    out: who plans for any values takes it for a sieve, and would rather sort than walk.
    """
    return f"""
-- {name}
{_BOARD.strip()}
WHERE {" AND ".join(conditions)} AND (opened_at, case_id) < ($1, $2::uuid)
ORDER BY {order} LIMIT $3
"""


LIST_CASES = _page("cases.list: the board", _STATE)
LIST_OPEN = _page("cases.list_open: those in a state in which they are not over", "NOT ended", "state = $4")
LIST_ASIDE = _page("cases.list_aside: those that were merged, or spam", "aside", "state = $4", _DEPARTMENT)
LIST_OF_DEPARTMENT = _page(
    "cases.list_of_department: one department's cases", "department = $5", _STATE, order=_NEWEST_OF
)
LIST_OPEN_OF_DEPARTMENT = _page(
    "cases.list_open_of_department: those of them in such a state",
    "department = $5 AND NOT ended",
    "state = $4",
    order=_NEWEST_OF,
)
LIST_OF_AGENT = _page(
    "cases.list_of_agent: those in one agent's name", "agent_id = $6", _STATE, _DEPARTMENT, order=_NEWEST_OF
)
LIST_OPEN_OF_AGENT = _page(
    "cases.list_open_of_agent: those of them in such a state",
    "agent_id = $6 AND NOT ended",
    "state = $4",
    _DEPARTMENT,
    order=_NEWEST_OF,
)
LIST_OF_CUSTOMER = _page(
    "cases.list_of_customer: one customer's cases",
    "customer_id = $6",
    _STATE,
    _DEPARTMENT,
    "($7::text IS NULL OR agent_id = $7)",
)

FIND_CASES = f"""
-- cases.find: by id, or by the number that people say, which two cases may share
SELECT {_COLUMNS} FROM cases WHERE case_id = $1 OR case_number = $2 ORDER BY opened_at, case_id LIMIT 10
"""  # noqa: S608 - the columns are this module's own

LIST_TIMELINE = """
-- timeline.list: the story of one case
SELECT type, data FROM timeline WHERE case_id = $1 ORDER BY version
"""

LIST_CLOCKS = """
-- clocks.list: the clocks of one case
SELECT clock_id, clock, promise_id, state, percent, target_seconds, elapsed_seconds, business_seconds, due_at,
    changed_at
FROM clocks WHERE case_id = $1 ORDER BY changed_at, clock_id
"""

LIST_DELIVERIES = """
-- deliveries.list: the messages of one case
SELECT delivery_id, purpose, channel, milestone, state, provider, reason, changed_at
FROM deliveries WHERE case_id = $1 ORDER BY changed_at, delivery_id
"""

SUMMARY = """
-- summary: how many cases are open, and what was not kept
SELECT sum(cases_open)::bigint AS cases_open, sum(cases)::bigint AS cases,
    sum(clocks_breached)::bigint AS clocks_breached, sum(promises_breached)::bigint AS promises_breached
FROM tallies
"""

LIST_DEMANDS = f"""
-- demands.page: Table 1 from a place on (R9)
SELECT {_COLUMNS}, opened.data AS opened, clock.due_at AS clock_due_at
FROM cases
LEFT JOIN timeline opened ON opened.case_id = cases.case_id AND opened.version = 1
LEFT JOIN LATERAL (
    SELECT max(due_at) AS due_at FROM clocks
    WHERE clocks.case_id = cases.case_id AND clocks.clock IN ('resolution', 'reopened_resolution')
) clock ON true
WHERE (cases.opened_at, cases.case_id) > ($1, $2::uuid)
ORDER BY cases.opened_at, cases.case_id LIMIT $3
"""  # noqa: S608 - the columns are this module's own

LIST_PROCESS = """
-- process.page: Table 2 from a place on (S6); the name is that of the handler when it was the handler's step
SELECT step.type, step.data, step.occurred_at, step.case_id, step.version,
    CASE WHEN cases.agent_id = convert_from(step.data, 'UTF8')::jsonb #>> '{by,id}' THEN cases.agent_name END AS owner
FROM timeline step JOIN cases ON cases.case_id = step.case_id
WHERE step.type = 'caseloop.case.progressed.v1' AND (step.occurred_at, step.case_id, step.version) > ($1, $2::uuid, $3)
ORDER BY step.occurred_at, step.case_id, step.version LIMIT $4
"""

LIST_FOLLOWUPS = """
-- followups.page: Table 3 from a place on (F7); the channel is that by which the survey went out
SELECT said.type, said.data, said.occurred_at, said.case_id, said.version,
    convert_from(opened.data, 'UTF8')::jsonb #>> '{customer,name}' AS customer_name,
    convert_from(asked.data, 'UTF8')::jsonb ->> 'channel' AS channel
FROM timeline said
LEFT JOIN timeline opened ON opened.case_id = said.case_id AND opened.version = 1
LEFT JOIN timeline asked ON asked.case_id = said.case_id
    AND said.type = 'caseloop.case.survey_answered.v1' AND asked.type = 'caseloop.case.survey_sent.v1'
    AND convert_from(asked.data, 'UTF8')::jsonb ->> 'survey_id'
        = convert_from(said.data, 'UTF8')::jsonb ->> 'survey_id'
WHERE said.type IN (
        'caseloop.case.callback_completed.v1', 'caseloop.case.callback_exhausted.v1', 'caseloop.case.survey_answered.v1'
    )
    AND (said.occurred_at, said.case_id, said.version) > ($1, $2::uuid, $3)
ORDER BY said.occurred_at, said.case_id, said.version LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of the board are wanted; ``before`` is the place after which an earlier page ended."""

    state: str | None = None
    department: str | None = None
    agent_id: str | None = None
    customer_id: UUID | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


async def list_cases(connection: Connection, wanted: Filter) -> list[tuple[Board, router.CaseOpened | None]]:
    """Return a page of the board, newest first, with each case's first event."""
    statement, conditions = _narrowest(wanted)
    rows = await connection.fetch(statement, *(wanted.before or (_LAST, _EVERYBODY)), wanted.limit, *conditions)
    return [(_board(row), _opened(row)) for row in rows]


def _narrowest(wanted: Filter) -> tuple[str, tuple[object, ...]]:
    """Return the statement that passes over the fewest rows, and what it asks: most cases are closed, few are aside."""
    state, department = wanted.state, wanted.department
    is_open = state is not None and state not in OVER
    if wanted.customer_id is not None:
        return LIST_OF_CUSTOMER, (state, department, wanted.customer_id, wanted.agent_id)
    if wanted.agent_id is not None:
        return LIST_OPEN_OF_AGENT if is_open else LIST_OF_AGENT, (state, department, wanted.agent_id)
    if state in OVER - {"closed"}:
        return LIST_ASIDE, (state, department)
    if department is not None:
        return LIST_OPEN_OF_DEPARTMENT if is_open else LIST_OF_DEPARTMENT, (state, department)
    return LIST_OPEN if is_open else LIST_CASES, (state,)


async def find_cases(connection: Connection, named: str) -> list[Board]:
    """Return the cases of this id or number; none when there is none, several only when they share a number."""
    try:
        rows = await connection.fetch(FIND_CASES, UUID(named), None)
    except ValueError:
        number = parse_case_number(named)
        rows = await connection.fetch(FIND_CASES, None, number) if number else []
    return [_board(row) for row in rows]


async def timeline_of(connection: Connection, case_id: UUID) -> list[JournalEvent]:
    """Return every event of one case in the order of its versions."""
    return [_event(row) for row in await connection.fetch(LIST_TIMELINE, case_id)]


async def clocks_of(connection: Connection, case_id: UUID) -> list[dict[str, object]]:
    """Return where the clocks of one case stand."""
    return [dict(row) for row in await connection.fetch(LIST_CLOCKS, case_id)]


async def deliveries_of(connection: Connection, case_id: UUID) -> list[dict[str, object]]:
    """Return what became of the messages of one case."""
    return [dict(row) for row in await connection.fetch(LIST_DELIVERIES, case_id)]


async def summary(connection: Connection) -> dict[str, int]:
    """Return how many cases there are and what was not kept."""
    row = await connection.fetchrow(SUMMARY)
    return dict(row) if row is not None else {}


async def demands(
    pool: Pool,
    departments: Departments,
    wording: Wording,
    page: int = PAGE,
) -> AsyncIterator[Sequence[Row]]:
    """Yield Table 1 in pages, oldest case first (R9); whoever takes them slowly holds no connection meanwhile."""
    place: tuple[datetime, UUID] = (_FIRST, _NOBODY)
    while rows := await pool.fetch(LIST_DEMANDS, *place, page):
        yield [demand_row(_board(row), _opened(row), row["clock_due_at"], departments, wording) for row in rows]
        place = (rows[-1]["opened_at"], rows[-1]["case_id"])


async def process(pool: Pool, page: int = PAGE) -> AsyncIterator[Sequence[Row]]:
    """Yield Table 2 in pages like Table 1, in the order of time (S6)."""
    place: tuple[datetime, UUID, int] = (_FIRST, _NOBODY, 0)
    while rows := await pool.fetch(LIST_PROCESS, *place, page):
        yield [process_row(cast("router.CaseProgressed", _event(row)), row["owner"]) for row in rows]
        place = _place(rows[-1])


async def followups(pool: Pool, wording: Wording, page: int = PAGE) -> AsyncIterator[Sequence[Row]]:
    """Yield Table 3 in pages like Table 1, in the order of time (F7)."""
    place: tuple[datetime, UUID, int] = (_FIRST, _NOBODY, 0)
    while rows := await pool.fetch(LIST_FOLLOWUPS, *place, page):
        yield [
            follow_up_row(cast("FollowUp", _event(row)), row["customer_name"], row["channel"], wording) for row in rows
        ]
        place = _place(rows[-1])


def _place(row: asyncpg.Record) -> tuple[datetime, UUID, int]:
    return row["occurred_at"], row["case_id"], row["version"]


def _board(row: asyncpg.Record) -> Board:
    return Board._make(row[name] for name in Board._fields)


def _opened(row: asyncpg.Record) -> router.CaseOpened | None:
    return router.CaseOpened.read(row["opened"]) if row["opened"] is not None else None


def _event(row: asyncpg.Record) -> JournalEvent:
    return cast("JournalEvent", MESSAGES[row["type"]].read(row["data"]))
