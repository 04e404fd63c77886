"""Does one pass over a text find exactly what trying every term at every place finds?"""

import string

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.terms import pattern_of
from services.intake.domain.vocabulary import Found, Vocabulary

TERMS = ("refund", "re(pair|fund)", "is", "?", "!!", "7天", "坏了", "(坏|换)~货", "#次", "no~reply", "do*")
VOCABULARY = Vocabulary(enumerate(TERMS))
PIECES = ("refund", "repair", "is", "?", "!!", "7天", "坏了", "坏", "货", "12次", "no", "reply", "doing", " ", "。")
LATIN = string.ascii_lowercase + string.digits


def everywhere(text: str) -> set[Found]:
    inside = {place for place in range(1, len(text)) if text[place] in LATIN and text[place - 1] in LATIN}
    return {
        Found(owner, place, match.end())
        for owner, term in enumerate(TERMS)
        for place in range(len(text))
        if place not in inside and (match := pattern_of(term).match(text, place))
    }


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_every_place_is_found_once_and_in_order(text: str) -> None:
    found = VOCABULARY.find(text)
    assert set(found) == everywhere(text)
    assert len(found) == len(set(found))
    assert [place.start for place in found] == sorted(place.start for place in found)


def test_no_terms_find_nothing() -> None:
    assert Vocabulary(()).find("anything") == []
