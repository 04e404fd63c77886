"""Does the board show the last state of a case, whatever is repeated or missing on the way?"""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts import router
from contracts.router import CommandRejected
from services.desk.domain.board import Board, fold
from tests.support.examples import MOMENT, example
from tests.unit.desk.story import a_case, story, told


def _folded(events: list[Any]) -> Board:
    board = fold(None, events)
    assert board is not None
    return board


def test_the_whole_story_ends_on_one_row() -> None:
    board = _folded(story("whole"))

    assert (board.version, board.state, board.missing, board.outcome) == (9, "closed", 0, "confirmed")
    assert (board.agent_name, board.satisfaction) == ("Li Wei", 5)
    assert board.promised_at == MOMENT + timedelta(hours=2)
    assert board.facts is not None
    assert board.facts["error_code"] == "ERR-500"


@given(st.lists(st.integers(min_value=1, max_value=8), max_size=6), st.data())
def test_cuts_and_repeats_change_nothing(cuts: list[int], data: st.DataObject) -> None:
    events = story("cut")
    board: Board | None = None
    begun = 0
    for cut in sorted({*cuts, len(events)}):
        again = data.draw(st.integers(min_value=0, max_value=begun))
        board = fold(board, events[again:cut])
        begun = cut

    assert board == _folded(events)


def test_a_hole_is_counted_and_does_not_stop_the_board() -> None:
    events = story("hole")

    board = _folded([events[0], *events[3:]])

    assert (board.version, board.missing, board.state) == (9, 2, "closed")


def test_a_case_that_goes_back_to_the_queue_has_no_handler() -> None:
    events = story("back")[:2]
    board = _folded([*events, told(router.CaseReleased, a_case("back"), 3, state="queued")])

    assert board.agent_id is None
    assert board.agent_name is None


def test_a_reopened_case_has_no_end() -> None:
    case_id = a_case("again")
    reopened = told(router.CaseReopened, case_id, 10, state="queued", cycle=2, supervisor_needed=True)

    board = _folded([*story("again"), reopened])

    assert (board.resolved_at, board.closed_at, board.outcome) == (None, None, None)
    assert (board.cycle, board.supervisor_needed) == (2, True)


def test_a_refusal_without_a_version_makes_no_row() -> None:
    refused = example(CommandRejected)
    assert isinstance(refused, CommandRejected)

    assert fold(None, [refused.model_copy(update={"version": None})]) is None


def test_an_older_event_after_a_hole_changes_nothing() -> None:
    events = story("late")
    board = _folded([events[0], *events[3:]])

    assert fold(board, [events[1]]) == board._replace(facts=dict(board.facts or {}))
