"""How do commands speak: calm words and tables for people, one JSON document or JSON lines for programs?"""

import sys
import zoneinfo
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from services.runtime import configuration

_PLAIN_WIDTH = 160
"""Columns where there is no terminal: a log must not be folded at 80."""
_LOCALTIME = Path("/etc/localtime")


def console(*, stderr: bool = False) -> Console:
    """Return where people read: coloured and as wide as the terminal, or plain lines where there is none."""
    target = sys.stderr if stderr else sys.stdout
    plain = not target.isatty()
    return Console(file=target, width=_PLAIN_WIDTH if plain else None, highlight=False, soft_wrap=plain, emoji=False)


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the one style of ours: no lines but one under the headers."""
    made = Table(
        title=title, box=None, header_style="bold dim", title_style="bold", title_justify="left", pad_edge=False
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Write one JSON document on one line and let it go at once."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z).decode() + "\n")
    sys.stdout.flush()


def moment(value: str | datetime | None) -> datetime | None:
    """Return a time of an answer as a time."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def local(value: str | datetime | None, now: datetime) -> str:
    """Return a time in the zone of this machine, with the day only when it is not today."""
    at = moment(value)
    if at is None:
        return ""
    here, today = at.astimezone(), now.astimezone()
    return f"{here:%H:%M:%S}" if here.date() == today.date() else f"{here:%Y-%m-%d %H:%M}"


def relative(value: str | datetime | None, now: datetime) -> str:
    """Return how far a time lies from now: ``3 min ago``, ``in 2 h``."""
    at = moment(value)
    if at is None:
        return ""
    apart = now - at
    if abs(apart) < timedelta(seconds=1):
        return "now"
    return f"{span(apart)} ago" if apart > timedelta(0) else f"in {span(-apart)}"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit."""
    seconds = length.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def zone_name() -> str:
    """Return the name of this machine's time zone, ``UTC`` where it has no name that others know."""
    named = configuration.ENVIRONMENT.get("TZ") or _zone_of_the_system()
    return named if named in zoneinfo.available_timezones() else "UTC"


def _zone_of_the_system() -> str:
    try:
        return str(_LOCALTIME.readlink()).partition("zoneinfo/")[2]
    except OSError:
        return ""
