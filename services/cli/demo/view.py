"""What does a person see while the demo plays, and at its end?"""

import asyncio
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from contracts.router import CaseEvent
from services.cli.demo.scene import Scene
from services.cli.demo.stage import Stage

REFRESH_SECONDS = 0.15
STORY_LINES = 12


async def watching(console: Console, scenes: Sequence[Scene], stage: Stage) -> None:
    """Show the scenes live on a terminal, or one line for each thing seen elsewhere; runs until cancelled."""
    if console.is_terminal:
        await _live(console, scenes, stage)
    else:
        await _lines(console, scenes)


async def _live(console: Console, scenes: Sequence[Scene], stage: Stage) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Group(_board(scenes), _story(stage)), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


async def _lines(console: Console, scenes: Sequence[Scene]) -> None:
    told = dict.fromkeys((scene.name for scene in scenes), 0)
    while True:
        for scene in scenes:
            for check in scene.checks[told[scene.name] :]:
                console.print(f"{scene.name}: {check.what} {' '.join(check.clauses)}", highlight=False)
            told[scene.name] = len(scene.checks)
        await asyncio.sleep(REFRESH_SECONDS)


def _board(scenes: Sequence[Scene]) -> Table:
    table = Table(box=None, padding=(0, 1), expand=True)
    table.add_column("", width=1)
    table.add_column("scenario", min_width=53, no_wrap=True, overflow="ellipsis")
    table.add_column("case", width=15)
    table.add_column("seen", justify="right", width=5)
    table.add_column("now", ratio=4, no_wrap=True, overflow="ellipsis")
    for scene in scenes:
        mark = Text("✗", "red") if scene.failure else Text("✓", "green") if scene.done else Text("·", "cyan")
        now = scene.failure or ("complete" if scene.done else scene.waiting_for)
        table.add_row(
            mark, scene.title, scene.case_number, str(len(scene.checks)), Text(now, "red" if scene.failure else "dim")
        )
    return table


def _story(stage: Stage) -> Panel:
    events = [message for message in stage.seen if isinstance(message, CaseEvent)][-STORY_LINES:]
    table = Table.grid(padding=(0, 2))
    for event in events:
        name = event.type.removeprefix("caseloop.case.").removesuffix(".v1").replace("_", " ")
        table.add_row(event.case_number, f"v{event.version}", Text(name, "bold"), Text(event.state, "cyan"))
    return Panel(table, title="case.events", title_align="left", border_style="dim", height=STORY_LINES + 2)


def show_summary(console: Console, scenes: Sequence[Scene]) -> int:
    """Print what was seen, by scenario and by clause, and return the exit status."""
    table = Table(title="The closed loop, as it was played", title_justify="left", box=None, padding=(0, 1))
    for column in ("", "scenario", "case", "seen"):
        table.add_column(column)
    for scene in scenes:
        mark = Text("✗", "red") if scene.failure else Text("✓", "green")
        table.add_row(mark, scene.title, scene.case_number, str(len(scene.checks)))
        if scene.failure:
            table.add_row("", Text(f"missing: {scene.failure}", "red"))
    console.print(table)
    clauses = sorted({clause for scene in scenes for check in scene.checks for clause in check.clauses}, key=_order)
    console.print(f"Clauses seen: {' '.join(clauses)}")
    failed = [scene.name for scene in scenes if scene.failure]
    seen = sum(len(scene.checks) for scene in scenes)
    console.print(f"{len(scenes) - len(failed)} of {len(scenes)} scenarios complete, {seen} expected events seen")
    return 1 if failed else 0


def _order(clause: str) -> tuple[str, int]:
    return clause[0], int(clause[1:])
