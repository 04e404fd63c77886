"""How does a term of a policy become a pattern that cannot be slow?

The grammar is that of ``contracts/policy/classification.py``: text, ``(a|b)`` (also nested), ``~``, ``#``, ``*``. Every
repetition has a bound, and gaps do not cross the end of a sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = 3
"""By how many first characters a pattern is looked up."""
GAPS_MAX = 3
NESTED_MAX = 3
_GAP_ZH = r"[^.。!?;\n]{0,12}?"
_GAP_EN = r"[^.。!?;\n]{0,40}?"
_TOKENS = {"#": r"[0-9]{1,12}", "*": r"[a-z]{0,12}", "(": "(?:", ")": ")", "|": "|"}


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of what a term matches; an open one goes on with what follows."""

    text: str
    open: bool = True

    def then(self, other: "_Head") -> "_Head":
        """Return this beginning with more text, closed once it is long enough."""
        text = (self.text + other.text)[:HEAD]
        return _Head(text, other.open and len(text) < HEAD)


def pattern_of(term: str) -> re.Pattern[str]:
    """Return the pattern of a term; Latin words match whole words only. ``ValueError`` when the term is none."""
    _check(term)
    gap = _GAP_EN if term.isascii() else _GAP_ZH
    source = "".join(_TOKENS.get(sign) or (gap if sign == "~" else re.escape(sign)) for sign in term)
    before = r"(?<![a-z0-9])" if _is_word(term.lstrip("(")[0]) else ""
    after = r"(?![a-z0-9])" if _is_word(term.rstrip(")*|")[-1]) else ""
    return re.compile(f"{before}(?:{source}){after}")


def heads_of(term: str) -> set[str]:
    """Return every beginning, of at most :data:`HEAD` characters, that a match of the term can have."""
    return {head.text for head in _alternatives(iter(term))}


def _check(term: str) -> None:
    depth = deepest = 0
    for sign in term:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        deepest = max(deepest, depth)
        if depth < 0:
            break
    unsound = depth != 0 or deepest > NESTED_MAX or term.count("~") > GAPS_MAX or "(?" in term
    if unsound or (depth == 0 and "|" in re.sub(r"\(.*\)", "", term)) or "" in heads_of(term):
        raise ValueError(f"{term!r} is not a term: see contracts/policy/classification.py for what a term may hold")


def _alternatives(signs: Iterator[str]) -> set[_Head]:
    """Read up to the closing bracket and return the beginnings of what was read."""
    done: set[_Head] = set()
    growing = {_Head("")}
    for sign in signs:
        if sign == ")":
            break
        if sign == "|":
            done, growing = done | growing, {_Head("")}
        else:
            growing = _longer(growing, _following(sign, signs))
    return done | growing


def _following(sign: str, signs: Iterator[str]) -> set[_Head]:
    if sign == "(":
        return _alternatives(signs)
    if sign in "~*":
        return {_Head("", open=False)}
    if sign == "#":
        return {_Head(str(digit), open=False) for digit in range(10)}
    return {_Head(sign)}


def _longer(growing: set[_Head], following: set[_Head]) -> set[_Head]:
    return {head.then(other) if head.open else head for head in growing for other in following}


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
