"""Is a changed case a new one?"""

from services.router.domain.case import Case, evolve
from services.router.domain.unchecked import share_names
from tests.unit.router.given import a_case


def test_a_case_that_evolves_is_a_copy_with_these_fields_changed() -> None:
    case = a_case()
    after = evolve(case, state="solved", resolution="done")
    copied = case.model_copy(update={"state": "solved", "resolution": "done"})
    assert (after, after.model_fields_set, after.model_dump()) == (copied, copied.model_fields_set, copied.model_dump())
    assert (case.state, case.resolution) == ("queued", None)


def test_values_that_are_kept_share_the_names_of_their_fields() -> None:
    """Those of a copy that is changed are its own."""
    one, other = (Case.model_validate_json(a_case().model_dump_json(exclude_none=True)) for _ in range(2))
    given = (set(one.model_fields_set), set(one.customer.model_fields_set))
    share_names(one)
    share_names(other)
    pairs = [(one, other), (one.customer, other.customer), (one.customer.parties[0], other.customer.parties[0])]
    assert all(mine.model_fields_set is theirs.model_fields_set for mine, theirs in pairs)
    changed = one.model_copy(update={"resolution": "done"})
    assert "resolution" in changed.model_fields_set
    assert (one.model_fields_set, one.customer.model_fields_set) == given
