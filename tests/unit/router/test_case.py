"""Is a changed case a new one?"""

from services.router.domain.case import evolve
from tests.unit.router.given import a_case


def test_a_case_that_evolves_is_a_copy_with_these_fields_changed() -> None:
    case = a_case()
    after = evolve(case, state="solved", resolution="done")
    copied = case.model_copy(update={"state": "solved", "resolution": "done"})
    assert (after, after.model_fields_set, after.model_dump()) == (copied, copied.model_fields_set, copied.model_dump())
    assert (case.state, case.resolution) == ("queued", None)
