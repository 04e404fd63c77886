"""What does desk answer to the command line?"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import orjson

from services.cli.failures import CommandError

SECONDS = 30.0
_REFUSED = 400


async def ask(desk_url: str, path: str, asked: Mapping[str, str | int | None] | None = None) -> dict[str, Any]:
    """Return desk's answer; ``CommandError`` with desk's own words when it refuses."""
    async with answer(desk_url, path, asked) as response:
        document: dict[str, Any] = orjson.loads(await response.aread())
        return document


@asynccontextmanager
async def answer(
    desk_url: str, path: str, asked: Mapping[str, str | int | None] | None = None, silence: float | None = SECONDS
) -> AsyncIterator[httpx.Response]:
    """Give desk's answer while it still comes in; for ``silence`` seconds, or for ever, nothing more may come."""
    given = {key: value for key, value in (asked or {}).items() if value is not None}
    try:
        timeout = httpx.Timeout(SECONDS, read=silence)
        async with (
            httpx.AsyncClient(base_url=desk_url, timeout=timeout, trust_env=False) as client,
            client.stream("GET", path, params=given) as response,
        ):
            if response.status_code >= _REFUSED:
                raise CommandError(_refusal(response.status_code, await response.aread()))
            yield response
    except httpx.HTTPError as problem:
        line = f"desk at {desk_url} does not answer ({type(problem).__name__}); look with `caseloop status`"
        raise CommandError(line) from None


async def case_id_of(desk_url: str, named: str) -> UUID:
    """Return the id of the case with this number; ``CommandError`` when there is none, or more than one."""
    found = await ask(desk_url, f"/api/cases/{named}")
    return UUID(found["case"]["case_id"])


def _refusal(status: int, content: bytes) -> str:
    try:
        return str(orjson.loads(content)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"desk answered with status {status}"
