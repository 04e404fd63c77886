"""How do Tables 1, 2 and 3 leave the system for a spreadsheet or a program?"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import httpx
from cyclopts import Parameter

from services.cli.connection import HERE, Where, find_desk
from services.cli.desk import SECONDS, answer
from services.cli.failures import CommandError, bad_input
from services.cli.output import console, zone_name


async def export(
    table: Literal["demands", "process", "followups"],
    /,
    *,
    format_: Annotated[Literal["csv", "xlsx", "json"], Parameter(name="--format")] = "csv",
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    language: Literal["en", "zh-CN"] = "en",
    time_zone: str | None = None,
    where: Where = HERE,
) -> None:
    """Export Table 1 (demands), Table 2 (process) or Table 3 (followups).

    Parameters
    ----------
    table
        Which table.
    format_
        csv (RFC 4180), xlsx or json.
    output
        A file; without it everything goes to standard output.
    language
        Language of headers and words.
    time_zone
        Zone of the times in csv and xlsx, for example Asia/Shanghai; this machine's without it.
    """
    if format_ == "xlsx" and output is None and sys.stdout.isatty():
        raise bad_input("a workbook is no text for a terminal: give --output FILE.xlsx")
    asked = {"format": format_, "language": language, "time_zone": time_zone or zone_name()}
    silence = None if format_ == "xlsx" else SECONDS  # a workbook comes once all of it is made
    async with answer(find_desk(where), f"/api/export/{table}", asked, silence) as response:
        if output is None:
            async for part in response.aiter_bytes():
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            return
        await _write(response, output)
    console(stderr=True).print(f"{table} written to {output}")


async def _write(response: httpx.Response, output: Path) -> None:
    try:
        with output.open("wb") as target:
            async for part in response.aiter_bytes():
                target.write(part)
    except OSError as problem:
        raise CommandError(f"{output}: cannot be written ({problem.strerror}); give another --output") from None
    except httpx.HTTPError as problem:
        line = f"{output} is not whole: desk broke off ({type(problem).__name__}); look with `caseloop status`"
        raise CommandError(line) from None
