"""Does desk answer over HTTP what people and the command line ask?"""

import asyncio
import csv
import io
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import openpyxl
import pytest
from starlette.applications import Starlette

from contracts.case_number import case_number
from contracts.policy import load_policy
from services.desk import queries
from services.desk.routes import answers_over
from services.runtime.database import Pool
from services.runtime.http import bound_socket, serve
from services.runtime.settings import STANDARD_POLICY
from tests.integration.desk.receiving import receive
from tests.support.floor import until
from tests.unit.desk.story import a_case, story


async def test_the_board_goes_page_by_page(pool: Pool, pages: httpx.AsyncClient) -> None:
    for number in range(5):
        await receive(pool, story(f"board {number}"))

    first = (await pages.get("/api/cases", params={"limit": 3})).json()
    second = (await pages.get("/api/cases", params={"limit": 3, "before": first["next"]})).json()

    numbers = [case["case_number"] for case in first["cases"] + second["cases"]]
    assert sorted(numbers) == sorted(case_number(a_case(f"board {number}")) for number in range(5))
    assert second["next"] is None


async def test_the_board_can_be_narrowed(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("open")[:2])
    await receive(pool, story("shut"))

    assigned = (await pages.get("/api/cases", params={"state": "assigned"})).json()["cases"]

    assert [(case["case_number"], case["customer_name"]) for case in assigned] == [
        (case_number(a_case("open")), "王先生")
    ]


async def test_a_case_is_told_whole(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("whole"))

    told = (await pages.get(f"/api/cases/{case_number(a_case('whole'))}")).json()

    assert told["case"]["state"] == "closed"
    assert [event["version"] for event in told["timeline"]] == list(range(1, 10))
    assert told["promises"][0]["state"] == "open"
    assert told["opened"]["customer"]["name"] == "王先生"


async def test_why_is_answered(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("reasons"))

    told = (await pages.get(f"/api/cases/{a_case('reasons')}/why")).json()

    assert told["classification"][0]["evidence"]
    assert told["assignment"][0]["step"] == "assigned"


async def test_the_summary_counts(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("counted")[:3])

    assert (await pages.get("/api/summary")).json() == {
        "cases_open": 1,
        "cases": 1,
        "clocks_breached": 0,
        "promises_breached": 0,
    }


async def test_tables_come_in_three_formats(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("tables"))
    number = case_number(a_case("tables"))

    text = (await pages.get("/api/export/demands", params={"language": "zh-CN", "time_zone": "Asia/Shanghai"})).text
    rows = (await pages.get("/api/export/followups", params={"format": "json"})).json()
    book = (await pages.get("/api/export/process", params={"format": "xlsx"})).content

    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0][0] == "记录编号"
    assert (lines[1][0], lines[1][2], lines[1][12]) == (number, "'+8613800005678", "5")
    assert [row["record_no"] for row in rows] == [number, number]
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    assert sheet is not None
    assert sheet.cell(2, 2).value == number


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/cases/C00000-00000-11", 404, "no such case"),
        ("/api/cases/nonsense/why", 404, "no such case"),
        ("/api/cases?limit=many", 400, "limit"),
        ("/api/cases?before=yesterday", 400, "before"),
        ("/api/cases?before=2026-11-02T09:30:00,6b1f1c1e-6a53-5d0e-9d0c-1f6a5c3d8a11", 400, "before"),
        ("/api/cases?before=0001-01-01T00:00:00%2B14:00,6b1f1c1e-6a53-5d0e-9d0c-1f6a5c3d8a11", 400, "before"),
        ("/api/cases?state=nonsense", 400, "waiting_department"),
        ("/api/cases?department=a%00b", 400, "NUL"),
        ("/api/export/secrets", 404, "demands, process, followups"),
        ("/api/export/demands?format=pdf", 400, "csv, xlsx, json"),
        ("/api/export/demands?language=fr", 400, "en, zh-CN"),
        ("/api/export/demands?time_zone=../../etc/passwd", 400, "Asia/Shanghai"),
        ("/api/export/demands?time_zone=Asia", 400, "Asia/Shanghai"),
        (f"/api/export/demands?time_zone={'long' * 100}", 400, "Asia/Shanghai"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(
    pages: httpx.AsyncClient, path: str, status: int, words: str
) -> None:
    answer = await pages.get(path)

    assert answer.status_code == status
    assert words in answer.json()["error"]


async def test_what_is_asked_for_with_nothing_is_not_asked_for(pool: Pool, pages: httpx.AsyncClient) -> None:
    await receive(pool, story("whatever"))

    assert len((await pages.get("/api/cases?state=&department=&agent_id=&customer_id=&before=")).json()["cases"]) == 1


async def test_who_takes_a_table_slowly_holds_no_connection(pool: Pool) -> None:
    await receive(pool, [*story("first"), *story("second")])
    downloads = [queries.demands(pool, {}, "en", page=1) for _ in range(pool.get_max_size())]

    assert [len(await anext(rows)) for rows in downloads] == [1] * len(downloads)
    assert pool.get_idle_size() == pool.get_size()


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_workbook_whose_reader_has_gone_is_not_made(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    listening, stopping = bound_socket("127.0.0.1", 0), asyncio.Event()
    app = Starlette(routes=list(answers_over(pool, load_policy(STANDARD_POLICY))))

    async def is_being_made() -> bool:
        return bool(_files(tmp_path))

    async def is_gone() -> bool:
        return not _files(tmp_path)

    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, listening, stopping))
        async with AsyncExitStack() as held:
            for _ in range(pool.get_max_size()):  # so that none is left to read the table with
                await held.enter_async_context(pool.acquire())
            _, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"GET /api/export/demands?format=xlsx HTTP/1.1\r\nHost: desk\r\n\r\n")
            await until(is_being_made)
            writer.close()
            await until(is_gone)
        stopping.set()
