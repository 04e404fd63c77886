"""Does a table reach its file whole, or is it said that it is not?"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.cli import export as cli_export
from services.cli.connection import Where
from services.cli.export import export
from services.cli.failures import CommandError
from services.runtime.http import bound_socket, serve

Parts = Callable[[], AsyncIterator[bytes]]


@asynccontextmanager
async def _a_desk(parts: Parts) -> AsyncIterator[Where]:
    """Give the address of a desk whose every table has these parts."""

    async def answer(_request: Request) -> Response:
        return StreamingResponse(parts())

    listening, stopping = bound_socket("127.0.0.1", 0), asyncio.Event()
    app = Starlette(routes=[Route("/api/export/{table}", answer)])
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, listening, stopping))
        yield Where(desk=f"http://127.0.0.1:{listening.getsockname()[1]}")
        stopping.set()


async def _broken_off() -> AsyncIterator[bytes]:
    yield b"first,"
    raise ConnectionError


async def test_a_table_that_breaks_off_is_told_to_be_not_whole(tmp_path: Path) -> None:
    target = tmp_path / "demands.csv"
    async with _a_desk(_broken_off) as where:
        with pytest.raises(CommandError, match=r"demands\.csv is not whole"):
            await export("demands", output=target, where=where)


async def test_a_workbook_is_waited_for_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_export, "SECONDS", 0.05)
    asked, made = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        asked.release()
        await made.wait()
        yield b"all of it"

    book = tmp_path / "demands.xlsx"
    async with _a_desk(slow) as where, asyncio.TaskGroup() as group:
        group.create_task(export("demands", format_="xlsx", output=book, where=where))
        await asked.acquire()
        with pytest.raises(
            CommandError, match=r"demands\.csv is not whole"
        ):  # has waited less than the workbook by then
            await export("demands", output=tmp_path / "demands.csv", where=where)
        made.set()

    assert book.read_bytes() == b"all of it"
