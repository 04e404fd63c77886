"""Can every spreadsheet and every reader take our files, and does none of them run what a customer wrote?"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import openpyxl
import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.desk.domain.tables import TABLES, Row
from services.desk.exports import csv_of, guarded, json_of, workbook_of
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


async def test_the_workbook_holds_texts_times_and_numbers() -> None:
    content = await workbook_of("process", _pages([_row("=HYPERLINK(1)")]), "zh-CN", SHANGHAI)

    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == [column.zh for column in TABLES["process"]]
    assert (rows[1][3].value, rows[1][3].data_type) == ("=HYPERLINK(1)", "s")
    assert rows[1][5].value == datetime(2026, 11, 2, 17, 30)  # noqa: DTZ001 - a workbook's times have no zone


async def test_others_have_their_turn_while_a_workbook_is_compressed() -> None:
    turns: list[None] = []
    told = False

    async def others() -> None:
        while True:
            await asyncio.sleep(0)
            if told:
                turns.append(None)

    async def pages() -> AsyncIterator[Sequence[Row]]:
        nonlocal told
        yield [_row("a")]
        told = True

    waiting = asyncio.create_task(others())
    await workbook_of("process", pages(), "en", SHANGHAI)
    waiting.cancel()

    assert turns


async def test_json_is_one_document_with_the_tables_keys() -> None:
    rows = orjson.loads(b"".join([part async for part in json_of("process", _pages([_row("a"), _row("=b")]))]))

    assert [row["action"] for row in rows] == ["a", "=b"]
    assert rows[0]["at"] == "2026-11-02T09:30:00Z"
    assert list(rows[0]) == [column.key for column in TABLES["process"]]


async def test_an_empty_table_is_a_document_too() -> None:
    assert orjson.loads(b"".join([part async for part in json_of("process", _pages([]))])) == []
    assert (await _csv([])).count("\r\n") == 1
    assert WIDTH == 8
