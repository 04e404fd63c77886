"""What happens right now? ``caseloop watch`` follows the public journal."""

import asyncio
import signal
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from rich.text import Text

from contracts.case_number import parse_case_number
from services.cli.connection import HERE, Where, find
from services.cli.failures import bad_input
from services.cli.output import console, local, print_json
from services.cli.reading import POLL_MILLISECONDS, Record, header, reader, seek, seek_to_end
from services.cli.rendering import event_line
from services.runtime.clock import SystemClock

JOURNAL = "case.events"


async def watch(case: str | None = None, *, from_start: bool = False, json: bool = False, where: Where = HERE) -> None:
    """Follow `case.events` until Ctrl-C.

    Parameters
    ----------
    case
        Only this case, by id or number.
    from_start
        From the first event on, not only what comes from now on.
    json
        One JSON object per line.
    """
    wanted = _wanted(case)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with reader(find(where).settings(), [JOURNAL]) as consumer:
        if from_start:
            await seek(consumer, None)
        else:
            await seek_to_end(consumer)
        while not stopping.is_set():
            polled = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
            for record in sorted((each for some in polled.values() for each in some), key=lambda each: each.timestamp):
                _tell(record, wanted, as_json=json)


def _wanted(case: str | None) -> str | None:
    if case is None:
        return None
    try:
        return str(UUID(case))
    except ValueError:
        number = parse_case_number(case)
    if number is None:
        raise bad_input(f"{case!r}: neither an id nor a valid case number; `caseloop case list` shows them")
    return number


def _tell(record: Record, wanted: str | None, *, as_json: bool) -> None:
    try:
        data: dict[str, Any] = orjson.loads(record.value or b"null") or {}
    except orjson.JSONDecodeError:
        return
    if wanted is not None and wanted not in (data.get("case_id"), data.get("case_number")):
        return
    kind = header(record, "ce_type") or "?"
    if as_json:
        place = {"partition": record.partition, "offset": record.offset}
        print_json(
            {"id": header(record, "ce_id"), "type": kind, "time": header(record, "ce_time"), **place, "data": data}
        )
        return
    console().print(_line(kind, data, SystemClock().now()))


def _line(kind: str, data: dict[str, Any], now: datetime) -> Text:
    line = Text(f"{local(data.get('occurred_at'), now):<17}", style="dim")
    line.append(f"{data.get('case_number') or data.get('case_id') or '?':<16} ", style="cyan")
    return line.append_text(event_line(kind, data))
