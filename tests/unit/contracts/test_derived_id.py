"""Is a derived id the standard library's uuid5 of its parts, so that it never changes for what was ever said?"""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from contracts.message import NAMESPACE, derived_id


@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.integers(), st.uuids(), st.none())))
def test_a_derived_id_is_the_uuid5_of_its_parts(parts: list[str | int | UUID | None]) -> None:
    assert derived_id(*parts) == uuid5(NAMESPACE, "\x1f".join(map(str, parts)))


def test_the_parts_of_an_id_keep_their_places() -> None:
    assert derived_id("a", "b") != derived_id("ab")
    assert derived_id("a", "b").version == 5
