"""Which terms of a policy stand in a text, and where?

Terms are compiled once. A look-up by the first characters decides at each position which few patterns are tried, so a
chat message costs some tens of microseconds however many terms a pack has. A pattern consists of literals and bounded
gaps only: nothing in a message can make it slow.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from services.intake.domain.terms import HEAD, heads_of, pattern_of

Match = Callable[[str, int], re.Match[str] | None]
_WORD = "a-z0-9"


class Found(NamedTuple):
    """One place where a term stands: of which owner, from where to where."""

    owner: int
    start: int
    end: int


class Vocabulary:
    """Many terms, each belonging to a numbered owner; finds all of them in one pass over a text."""

    __slots__ = ("_by_head", "_lengths", "_starts")

    def __init__(self, owned: Iterable[tuple[int, str]]) -> None:
        """Compile ``(owner, term)`` pairs; ``ValueError`` names a term that cannot be used."""
        self._by_head: dict[str, list[tuple[int, Match]]] = {}
        for owner, term in owned:
            candidate = (owner, pattern_of(term).match)
            for head in heads_of(term):
                self._by_head.setdefault(head, []).append(candidate)
        lengths: dict[str, set[int]] = {}
        for head in self._by_head:
            lengths.setdefault(head[0], set()).add(len(head))
        self._lengths = {first: tuple(sorted(found)) for first, found in lengths.items()}
        self._starts = _starts_with(lengths)

    def find(self, text: str) -> list[Found]:
        """Return every place where a term stands in a text that was made comparable, in the order of their starts."""
        found: list[Found] = []
        candidates_of, lengths_of = self._by_head.get, self._lengths
        for start in self._starts.finditer(text):
            position = start.start()
            head = text[position : position + HEAD]
            for length in lengths_of[start[0]]:
                if length > len(head):
                    break
                for owner, match_at in candidates_of(head[:length], ()):
                    match = match_at(text, position)
                    if match:
                        found.append(Found(owner, position, match.end()))
        return found


def _starts_with(firsts: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of one character that can begin a term: any of these, but none inside a Latin word."""
    signs = "".join(re.escape(first) for first in sorted(firsts))
    return re.compile(f"(?:(?<![{_WORD}])|(?![{_WORD}]))[{signs}]" if signs else "(?!)")


def covered(found: Found, masks: Sequence[Found]) -> bool:
    """Tell whether a place lies inside one of the masks, or the mask inside it with nothing but a little around."""
    return any(mask.start <= found.start and found.end <= mask.end for mask in masks)
