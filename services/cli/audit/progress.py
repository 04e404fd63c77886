"""How far is the audit? A bar on a terminal, a plain line now and then elsewhere, always on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.output import console

LINE_SECONDS = 5.0


class Telling:
    """Says what is being done and how much of it."""

    def __init__(self, bar: Progress | None) -> None:
        """Speak through a bar, or in lines."""
        self._bar = bar
        self._step = ""
        self._total = 0
        self._done = 0
        self._told = time.monotonic()
        self._task = bar.add_task("", total=None) if bar else None

    def begin(self, step: str, total: int) -> None:
        """Say that a step of so many things begins; 0 when nobody knows how many."""
        self._step, self._total, self._done = step, total, 0
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, description=step, total=total or None)

    def advance(self, count: int) -> None:
        """Say that so many more are done."""
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count)
        elif time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            sys.stderr.write(f"audit: {self._step}: {self._done:,}{of}\n")
            sys.stderr.flush()


@contextmanager
def telling() -> Iterator[Telling]:
    """Give the way to speak that fits standard error."""
    if not sys.stderr.isatty():
        yield Telling(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        yield Telling(bar)
