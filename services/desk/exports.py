"""How does a table leave the house: as CSV, as a workbook, or as JSON?"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Literal, assert_never
from zoneinfo import ZoneInfo

import orjson
import xlsxwriter  # type: ignore[import-untyped]  # ships no types; used in this module only
from starlette.concurrency import run_in_threadpool

from contracts.values import rfc3339
from services.desk.domain.tables import TABLES, Cell, Row, TableName
from services.desk.domain.wording import Wording

Format = Literal["csv", "xlsx", "json"]
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_SHEET_ROWS_MAX = 1_048_575
"""What a sheet holds below its header; what is more goes on in another sheet."""
_PIECE_BYTES = 262_144
_WIDTHS = {"description": 48, "action": 40, "customer_communication": 40, "feedback": 32, "questions": 32}
Pages = AsyncIterator[Sequence[Row]]


def parts_of(
    format_: Format, table: TableName, pages: Pages, wording: Wording, zone: ZoneInfo, turn: asyncio.Lock
) -> AsyncIterator[bytes]:
    """Return the table as a file, part by part, its times those of the zone; ``turn``: see ``workbook_of``."""
    match format_:
        case "csv":
            return csv_of(table, pages, wording, zone)
        case "xlsx":
            return workbook_of(table, pages, wording, zone, turn)
        case "json":
            return json_of(table, pages)
        case _:
            assert_never(format_)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe before what might start one."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


async def csv_of(table: TableName, pages: Pages, wording: Wording, zone: ZoneInfo) -> AsyncIterator[bytes]:
    """Yield the table as CSV (RFC 4180, UTF-8): headers in words, times as ``2026-11-02 09:30:00`` of the zone."""
    yield _csv_lines([[column.header(wording) for column in TABLES[table]]])
    async for page in pages:
        yield _csv_lines([[_text(cell, zone) for cell in row] for row in page])


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return lines.getvalue().encode()


def _text(cell: Cell, zone: ZoneInfo) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return guarded(cell) if isinstance(cell, str) else str(cell)


async def json_of(table: TableName, pages: Pages) -> AsyncIterator[bytes]:
    """Yield the table as one JSON array of objects; times are RFC 3339 in UTC."""
    keys = [column.key for column in TABLES[table]]
    before = b"["
    async for page in pages:
        for row in page:
            cells = [rfc3339(cell) if isinstance(cell, datetime) else cell for cell in row]
            yield before + orjson.dumps(dict(zip(keys, cells, strict=True)))
            before = b",\n"
    yield b"[]" if before == b"[" else b"]"


async def workbook_of(
    table: TableName, pages: Pages, wording: Wording, zone: ZoneInfo, turn: asyncio.Lock
) -> AsyncIterator[bytes]:
    """Yield the table as a workbook: real times and numbers, every text a text and never a formula.

    It is made on disk, and by one at a time (``turn``), since a row takes some 2 KiB of it until all is compressed.
    Whoever goes meanwhile leaves nothing behind.
    """
    with TemporaryDirectory(prefix="caseloop-workbook-") as folder, TemporaryFile() as made:
        async with turn:
            await _make_workbook(made, folder, table, pages, wording, zone)
        made.seek(0)
        while piece := made.read(_PIECE_BYTES):
            yield piece


async def _make_workbook(
    made: IO[bytes], beside: str, table: TableName, pages: Pages, wording: Wording, zone: ZoneInfo
) -> None:
    options = {"constant_memory": True, "tmpdir": beside, "use_zip64": True}
    book = xlsxwriter.Workbook(made, {**options, "strings_to_formulas": False, "strings_to_urls": False})
    try:
        await _fill(book, table, pages, wording, zone)
        await run_in_threadpool(book.close)  # compresses it all, ten seconds for a million rows; nobody breaks it off
    finally:
        for sheet in book.worksheets():
            sheet.row_data_fh.close()


async def _fill(book: "xlsxwriter.Workbook", table: TableName, pages: Pages, wording: Wording, zone: ZoneInfo) -> None:
    times = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
    sheet, below = _sheet(book, table, wording), 0
    async for page in pages:
        rest = page
        while rest:
            if below == _SHEET_ROWS_MAX:
                sheet, below = _sheet(book, table, wording), 0
            some, rest = rest[: _SHEET_ROWS_MAX - below], rest[_SHEET_ROWS_MAX - below :]
            await run_in_threadpool(_write_rows, sheet, below, some, zone, times)
            below += len(some)


def _sheet(book: "xlsxwriter.Workbook", table: TableName, wording: Wording) -> "xlsxwriter.worksheet.Worksheet":
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True, "bottom": 1})
    for place, column in enumerate(TABLES[table]):
        sheet.set_column(place, place, _WIDTHS.get(column.key, 20))
        sheet.write_string(0, place, column.header(wording), bold)
    return sheet


def _write_rows(
    sheet: "xlsxwriter.worksheet.Worksheet",
    below: int,
    rows: Sequence[Row],
    zone: ZoneInfo,
    times: "xlsxwriter.format.Format",
) -> None:
    for number, row in enumerate(rows, below + 1):
        for place, cell in enumerate(row):
            _write(sheet, number, place, cell, zone, times)


def _write(
    sheet: "xlsxwriter.worksheet.Worksheet",
    below: int,
    place: int,
    cell: Cell,
    zone: ZoneInfo,
    times: "xlsxwriter.format.Format",
) -> None:
    if isinstance(cell, datetime):
        sheet.write_datetime(below, place, cell.astimezone(zone).replace(tzinfo=None), times)
    elif isinstance(cell, int):
        sheet.write_number(below, place, cell)
    elif cell is not None:
        sheet.write_string(below, place, cell[:32_767])
