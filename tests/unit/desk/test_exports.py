"""Can every spreadsheet and every reader take our files, and does none of them run what a customer wrote?"""

import asyncio
import csv
import io
import tempfile
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import orjson
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.desk import exports
from services.desk.domain.tables import TABLES, Row
from services.desk.exports import Pages, csv_of, guarded, json_of, workbook_of
from tests.support.examples import MOMENT

SHANGHAI = ZoneInfo("Asia/Shanghai")
WIDTH = len(TABLES["process"])


async def _pages(rows: Sequence[Row]) -> AsyncIterator[Sequence[Row]]:
    yield rows


def _row(text: str) -> Row:
    return ("T1", "C1", "step", text, "Li Wei", MOMENT, None, None)


async def _csv(rows: Sequence[Row]) -> str:
    return b"".join([line async for line in csv_of("process", _pages(rows), "en", SHANGHAI)]).decode()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1))
async def test_whatever_a_customer_writes_comes_back_from_csv(text: str) -> None:
    lines = list(csv.reader(io.StringIO(await _csv([_row(text)]), newline="")))

    assert len(lines) == 2
    assert lines[1][3] in {text, f"'{text}"}
    assert not lines[1][3].startswith(("=", "+", "-", "@", "\t"))


async def test_csv_quotes_line_breaks_and_ends_lines_as_the_rule_says() -> None:
    text = await _csv([_row('two\nlines, and "quotes"')])

    assert text.split("\r\n")[0] == ",".join(column.en for column in TABLES["process"])
    assert '"two\nlines, and ""quotes"""' in text
    assert "2026-11-02 17:30:00" in text
    assert text.endswith("\r\n")


def test_formulas_are_guarded() -> None:
    assert [guarded(text) for text in ("=1+1", "+86138", "-2", "@x", "a=b")] == [
        "'=1+1",
        "'+86138",
        "'-2",
        "'@x",
        "a=b",
    ]


async def _workbook(pages: Pages, turn: asyncio.Lock) -> bytes:
    return b"".join([part async for part in workbook_of("process", pages, "zh-CN", SHANGHAI, turn)])


async def test_the_workbook_holds_texts_times_and_numbers() -> None:
    content = await _workbook(_pages([_row("=HYPERLINK(1)")]), asyncio.Lock())

    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == [column.zh for column in TABLES["process"]]
    assert (rows[1][3].value, rows[1][3].data_type) == ("=HYPERLINK(1)", "s")
    assert rows[1][5].value == datetime(2026, 11, 2, 17, 30)  # noqa: DTZ001 - a workbook's times have no zone


async def test_others_have_their_turn_while_a_page_is_written_and_while_all_is_compressed() -> None:
    turns: set[str] = set()
    now = "nothing"

    async def others() -> None:
        while True:
            await asyncio.sleep(0)
            turns.add(now)

    async def pages() -> AsyncIterator[Sequence[Row]]:
        nonlocal now
        now = "a page is written"
        yield [_row("a")]
        now = "all is compressed"

    waiting = asyncio.create_task(others())
    await _workbook(pages(), asyncio.Lock())
    waiting.cancel()

    assert turns >= {"a page is written", "all is compressed"}


async def test_what_is_more_than_a_sheet_holds_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_SHEET_ROWS_MAX", 2)
    rows = [_row(text) for text in "abcdefg"]

    async def pages() -> AsyncIterator[Sequence[Row]]:
        yield rows[:1]
        yield rows[1:]

    book = openpyxl.load_workbook(io.BytesIO(await _workbook(pages(), asyncio.Lock())))

    told = [[row[3] for row in sheet.iter_rows(min_row=2, values_only=True)] for sheet in book.worksheets]
    assert told == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]


async def test_workbooks_are_made_one_after_the_other() -> None:
    turn, begun, going_on = asyncio.Lock(), list[str](), asyncio.Event()

    async def pages(name: str) -> AsyncIterator[Sequence[Row]]:
        begun.append(name)
        yield [_row(name)]
        await going_on.wait()

    async with asyncio.TaskGroup() as group:
        made = [group.create_task(_workbook(pages(name), turn)) for name in ("first", "second")]
        while not turn._waiters and len(begun) < len(made):  # noqa: ASYNC110 - a lock tells nobody else who waits for it
            await asyncio.sleep(0)
        assert begun == ["first"]
        going_on.set()

    assert begun == ["first", "second"]
    assert all(each.result() for each in made)


def _left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_workbook_that_nobody_takes_any_more_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    begun = asyncio.Event()

    async def pages() -> AsyncIterator[Sequence[Row]]:
        yield [_row("a")]
        begun.set()
        await asyncio.Event().wait()

    turn, open_before = asyncio.Lock(), psutil.Process().num_fds()
    making = asyncio.create_task(_workbook(pages(), turn))
    await begun.wait()
    assert _left(tmp_path)
    making.cancel()
    await asyncio.wait([making])

    assert not _left(tmp_path)
    assert psutil.Process().num_fds() == open_before
    assert not turn.locked()


async def test_a_workbook_may_be_larger_than_a_zip_of_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)

    content = await _workbook(_pages([_row("a")]), asyncio.Lock())

    assert openpyxl.load_workbook(io.BytesIO(content)).active is not None


async def test_json_is_one_document_with_the_tables_keys() -> None:
    rows = orjson.loads(b"".join([part async for part in json_of("process", _pages([_row("a"), _row("=b")]))]))

    assert [row["action"] for row in rows] == ["a", "=b"]
    assert rows[0]["at"] == "2026-11-02T09:30:00Z"
    assert list(rows[0]) == [column.key for column in TABLES["process"]]


async def test_an_empty_table_is_a_document_too() -> None:
    assert orjson.loads(b"".join([part async for part in json_of("process", _pages([]))])) == []
    assert (await _csv([])).count("\r\n") == 1
    assert WIDTH == 8
