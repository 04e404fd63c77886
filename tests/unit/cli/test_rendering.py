"""Can every event be told in a line, whatever is in it?"""

from datetime import timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from contracts.registry import MESSAGES
from contracts.router import CaseEvent, CommandRejected
from services.cli.case import _show_board
from services.cli.output import relative, span
from services.cli.rendering import _DETAILS, event_line, short_name, shortened
from tests.support.examples import MOMENT, example

EVENTS = [kind for kind in MESSAGES.values() if issubclass(kind, CaseEvent | CommandRejected)]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: short_name(kind.type))
def test_every_event_of_the_journal_is_told(kind: type[CaseEvent]) -> None:
    line = event_line(kind.type, example(kind).model_dump(mode="json", exclude_none=True)).plain

    assert short_name(kind.type) in line
    if short_name(kind.type) in _DETAILS:
        assert line.split(short_name(kind.type), 1)[1].strip()


def test_an_event_of_tomorrow_is_told_by_its_name() -> None:
    assert "archived" in event_line("caseloop.case.archived.v1", {"version": 3, "state": "closed"}).plain
    assert "opened" in event_line("caseloop.case.opened.v2", {"version": 1}).plain


@given(st.text(max_size=300))
def test_no_text_of_a_customer_reaches_the_terminal_as_a_command(text: str) -> None:
    shown = shortened(text)

    assert len(shown) <= 90
    assert shown.isprintable()


def test_a_name_is_no_markup_and_no_command() -> None:
    out = Console(file=StringIO(), width=200)
    case = {"case_number": "C", "state": "queued", "priority": 1, "band": "low", "department": "front_desk"}
    case |= {"agent_name": None, "customer_name": "Bob [/red] \x1b]0;x\x07", "opened_at": MOMENT.isoformat()}
    _show_board(out, [case | {"summary": "[/bold] broken"}], MOMENT)

    assert isinstance(out.file, StringIO)
    assert "Bob [/red] ]0;x" in out.file.getvalue()
    assert "[/bold] broken" in out.file.getvalue()


@pytest.mark.parametrize(
    ("apart", "words"),
    [(0, "now"), (59, "59 s ago"), (61, "1 min ago"), (-7200, "in 2 h"), (3 * 86400, "3 d ago")],
)
def test_times_are_told_from_now(apart: int, words: str) -> None:
    assert relative(MOMENT - timedelta(seconds=apart), MOMENT) == words
    assert span(timedelta(hours=30)) == "1 d"
