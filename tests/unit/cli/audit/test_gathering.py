"""How much of what was said of one case is held at once?"""

from services.cli.audit import cases
from services.cli.audit.cases import gathered
from services.cli.audit.journal import SEGMENT
from services.cli.audit.promises import CLOCK
from services.cli.audit.runs import Fact
from services.cli.audit.snapshots import SNAPSHOT


def _told(version: int, offset: int) -> Fact:
    return (SNAPSHOT, 0, offset, version, b"")


def test_of_the_states_of_a_case_only_the_last_is_held() -> None:
    segment: Fact = (SEGMENT, 1)
    step: Fact = (CLOCK, 0, 0)

    assert gathered([_told(1, 0), segment, _told(9, 2), step, _told(9, 1), _told(3, 7)]) == [segment, step, _told(9, 2)]


def test_of_a_case_told_of_without_end_one_piece_more_is_held_than_can_be_compared() -> None:
    steps = ((CLOCK, 0, offset) for offset in range(3 * cases.FACTS_MAX))

    assert len(gathered(steps)) == cases.FACTS_MAX + 1
    assert next(steps, None) is None
