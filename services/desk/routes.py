"""Which pages does desk have, and what does a wrong question get as an answer?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from contracts.policy import Policy
from contracts.values import CaseState, rfc3339
from services.desk import exports, pages, queries
from services.desk.domain.board import Board
from services.desk.domain.tables import TABLES, Departments, TableName
from services.desk.domain.wording import WORDINGS, Wording
from services.runtime.database import Connection, Pool
from services.runtime.service import ServiceContext

PAGE_MAX = 500
Answer = Callable[[Request], Awaitable[Response]]


class _QuestionError(Exception):
    """The question cannot be answered; the text says what is wrong with it."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def routes_of(context: ServiceContext) -> Sequence[BaseRoute]:
    """Return desk's pages of a running service."""
    return answers_over(context.pool, context.policy)


def answers_over(pool: Pool, policy: Policy) -> Sequence[BaseRoute]:
    """Return desk's pages over a read model; all only read."""
    departments = {name: department.title for name, department in policy.departments.items()}
    answers = _Answers(pool, departments)
    return [
        Route("/api/summary", _answered(answers.summary)),
        Route("/api/cases", _answered(answers.board)),
        Route("/api/cases/{named}", _answered(answers.case)),
        Route("/api/cases/{named}/why", _answered(answers.why)),
        Route("/api/export/{table}", _answered(answers.export)),
    ]


@dataclass(frozen=True, slots=True)
class _Answers:
    """The pages and what they need."""

    pool: Pool
    departments: Departments
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whose workbook is made now."""

    async def summary(self, _request: Request) -> Response:
        async with self.pool.acquire() as connection:
            return _json(await queries.summary(connection))

    async def board(self, request: Request) -> Response:
        wanted = _filter(request)
        async with self.pool.acquire() as connection:
            found = await queries.list_cases(connection, wanted)
        last = found[-1][0] if found and len(found) == wanted.limit else None
        place = f"{rfc3339(last.opened_at)},{last.case_id}" if last else None
        return _json({"cases": [pages.board_item(*each) for each in found], "next": place})

    async def case(self, request: Request) -> Response:
        async with self.pool.acquire() as connection:
            return _json(await pages.whole_case(connection, await _case(connection, request)))

    async def why(self, request: Request) -> Response:
        async with self.pool.acquire() as connection:
            return _json(await pages.why(connection, await _case(connection, request)))

    async def export(self, request: Request) -> Response:
        table, format_, wording, zone = _export(request)
        rows = _pages(self.pool, table, self.departments, wording)
        headers = {"content-disposition": f'attachment; filename="{table}.{format_}"'}
        parts = exports.parts_of(format_, table, rows, wording, zone, self.turn)
        return StreamingResponse(parts, headers=headers, media_type=exports.MEDIA_TYPES[format_])


def _pages(pool: Pool, table: TableName, departments: Departments, wording: Wording) -> exports.Pages:
    match table:
        case "demands":
            return queries.demands(pool, departments, wording)
        case "process":
            return queries.process(pool)
        case "followups":
            return queries.followups(pool, wording)
        case _:
            assert_never(table)


def _answered(answer: Answer) -> Answer:
    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except _QuestionError as problem:
            return _json({"error": str(problem)}, problem.status)

    return told


async def _case(connection: Connection, request: Request) -> Board:
    named = request.path_params["named"]
    found = await queries.find_cases(connection, named)
    if len(found) > 1:
        raise _QuestionError(
            409,
            f"several cases have the number {named}: ask for one of {', '.join(str(each.case_id) for each in found)}",
        )
    if not found:
        raise _QuestionError(404, "no such case: give the id or the number of a case, as the board shows it")
    return found[0]


def _filter(request: Request) -> queries.Filter:
    asked = {name: text for name, text in request.query_params.items() if text}
    if any("\0" in text for text in asked.values()):
        raise _QuestionError(400, "no name holds a NUL character")
    if asked.get("state") not in {None, *get_args(CaseState)}:
        raise _QuestionError(400, f"state is one of {', '.join(get_args(CaseState))}")
    try:
        return queries.Filter(
            state=asked.get("state"),
            department=asked.get("department"),
            agent_id=asked.get("agent_id"),
            customer_id=UUID(asked["customer_id"]) if "customer_id" in asked else None,
            before=_place(asked["before"]) if "before" in asked else None,
            limit=min(max(int(asked.get("limit", "50")), 1), PAGE_MAX),
        )
    except (ValueError, OverflowError):
        problem = f"customer_id is a UUID, limit a number up to {PAGE_MAX}, before what an earlier answer gave as next"
        raise _QuestionError(400, problem) from None


def _place(text: str) -> tuple[datetime, UUID]:
    """Return the place that an earlier answer gave as next; ``ValueError`` or ``OverflowError`` for all else."""
    told, _, case_id = text.partition(",")
    moment = datetime.fromisoformat(told)
    if moment.tzinfo is None:
        raise ValueError(told)
    return moment.astimezone(UTC), UUID(case_id)


def _export(request: Request) -> tuple[TableName, exports.Format, Wording, ZoneInfo]:
    table, asked = request.path_params["table"], request.query_params
    format_, wording, zone = asked.get("format", "csv"), asked.get("language", "en"), asked.get("time_zone", "UTC")
    if table not in TABLES:
        raise _QuestionError(404, f"no such table: ask for {', '.join(TABLES)}")
    if format_ not in get_args(exports.Format):
        raise _QuestionError(400, f"format is one of {', '.join(get_args(exports.Format))}")
    if wording not in WORDINGS:
        raise _QuestionError(400, f"language is one of {', '.join(WORDINGS)}")
    try:
        return table, cast("exports.Format", format_), wording, ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, a name too long for a file
        raise _QuestionError(400, "time_zone is a name such as Asia/Shanghai") from None


def _json(value: object, status: int = 200) -> Response:
    return Response(
        orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z), status_code=status, media_type="application/json"
    )
