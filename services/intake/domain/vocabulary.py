"""Which terms of a policy stand in a text, and where?

Terms are compiled once. A look-up by the first characters decides at each position which few patterns are tried, so a
chat message costs some tens of microseconds however many terms a pack has. A pattern consists of literals and bounded
gaps only: nothing in a message can make it slow.
"""

import re
import string
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from services.intake.domain.terms import heads_of, pattern_of

Match = Callable[[str, int], re.Match[str] | None]
_WORD = frozenset(string.ascii_lowercase + string.digits)


class Found(NamedTuple):
    """One place where a term stands: of which owner, from where to where."""

    owner: int
    start: int
    end: int


class Vocabulary:
    """Many terms, each belonging to a numbered owner; finds all of them in one pass over a text."""

    __slots__ = ("_by_head",)

    def __init__(self, owned: Iterable[tuple[int, str]]) -> None:
        """Compile ``(owner, term)`` pairs; ``ValueError`` names a term that cannot be used."""
        self._by_head: dict[str, list[tuple[int, Match]]] = {}
        for owner, term in owned:
            candidate = (owner, pattern_of(term).match)
            for head in heads_of(term):
                self._by_head.setdefault(head, []).append(candidate)

    def find(self, text: str) -> list[Found]:
        """Return every place where a term stands in a text that was made comparable, in the order of their starts."""
        found: list[Found] = []
        candidates_of = self._by_head.get
        inside_word = False
        for position, character in enumerate(text):
            word = character in _WORD
            if not (word and inside_word):
                for end in (position + 1, position + 2, position + 3):
                    for owner, match_at in candidates_of(text[position:end], ()):
                        match = match_at(text, position)
                        if match:
                            found.append(Found(owner, position, match.end()))
            inside_word = word
        return found


def covered(found: Found, masks: Sequence[Found]) -> bool:
    """Tell whether a place lies inside one of the masks, or the mask inside it with nothing but a little around."""
    return any(mask.start <= found.start and found.end <= mask.end for mask in masks)
