"""How many things does a message want, which comes first, or is no need stated at all (R3, R7)?"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

from contracts.values import Classification
from services.intake.domain.classification import Judgement, Part, Reading, Rulebook
from services.intake.domain.vocabulary import Found

SEVERITY_RANK = {"urgent": 0, "important": 1, "normal": 2}
IMPORTANCE_RANK = {"important": 0, "routine": 1}
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")
_SENTENCE_END = re.compile(r"[?!。.;；!](?=[\s?!。]|[^\x00-\x7f]|$)|[?!。;；\n]")
_NUMBERED = re.compile(r"(?:^|(?<=[\s:：;；,，。.]))(?:[(（]?[0-9]{1,2}[)）、]|[0-9]{1,2}[.．](?=[\s一-鿿]))")
_LETTERS = re.compile(r"[^\W_]")
DIGITS_MAX = 2
"""A bare number this short is an answer to something and no need."""
TEXTS_MAX = 512
"""So many understandings are remembered."""
REMEMBERED_CHARACTERS_MAX = 400
"""Longer words are hardly ever said twice."""
_TRIM = " \t\r\n,，;；.。:：、-"


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing wanted: the words, and what they are."""

    text: str
    classification: Classification
    marked: bool
    """An ordinal or "besides" stands before it: the customer set it apart."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message says."""

    demands: tuple[Wish, ...]
    """In the order in which they are to be handled; empty when no need is stated."""
    whole: Judgement
    """The message judged as one."""
    reading: Reading
    stopped: bool
    """The words say outright that nothing is wanted: wrong number, solved by itself."""
    courtesy_only: bool
    """Nothing but greetings and thanks."""

    @property
    def gravest(self) -> Classification:
        """Return the classification of the demand handled first, or of the message when there is none."""
        return self.demands[0].classification if self.demands else self.whole.classification


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    mark: str
    """``ordinal``, ``addition`` or nothing."""


def understander(rulebook: Rulebook) -> Callable[[str], Understanding]:
    """Return :func:`understand` by these rules, with a memory: short words are often the same ("ok", "谢谢")."""
    remembered = lru_cache(maxsize=TEXTS_MAX)(partial(understand, rulebook))

    def understood(text: str) -> Understanding:
        return remembered(text) if len(text) <= REMEMBERED_CHARACTERS_MAX else understand(rulebook, text)

    return understood


def understand(rulebook: Rulebook, text: str) -> Understanding:
    """Return what a message says; quoted lines are not the customer's words now."""
    own = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    reading = rulebook.read(own)
    whole = rulebook.judge(reading)
    rest = _without_courtesy(reading)
    stopped = bool(reading.said("nothing")) and not whole.classification.safety
    none = stopped or not _states_a_need(rulebook, reading, whole, rest)
    wishes = () if none else _ordered(_wishes(rulebook, reading, whole))
    return Understanding(wishes, whole, reading, stopped, courtesy_only=not _LETTERS.search(rest))


def _without_courtesy(reading: Reading) -> str:
    """Return the comparable text with greetings, thanks and fillers blanked."""
    characters = list(reading.plain)
    for found in reading.said("courtesy"):
        characters[found.start : found.end] = " " * (found.end - found.start)
    return "".join(characters)


def _states_a_need(rulebook: Rulebook, reading: Reading, whole: Judgement, rest: str) -> bool:
    letters = len(_LETTERS.findall(rest))
    if letters == 0 or (rest.strip(_TRIM).isdigit() and letters <= DIGITS_MAX):
        return False
    content = whole.spoken - {"emotion", "importance", "severity"}
    if reading.said("venting") and "category" not in content:
        return False
    if content:
        return True
    return letters >= _unclear_max(rulebook, rest)


def _unclear_max(rulebook: Rulebook, rest: str) -> int:
    """Return from how many letters on words without any known term still count as a need; Latin words are longer."""
    limit = rulebook.policy.need.unclear_characters_max
    return limit * 3 if rest.isascii() else limit


def _wishes(rulebook: Rulebook, reading: Reading, whole: Judgement) -> list[Wish]:
    parts = _parts(rulebook, reading)
    if len(parts) == 1:
        return [Wish(_words(reading, 0, len(reading.text)), whole.classification, marked=parts[0].mark != "")]
    limit = rulebook.policy.splitting.demands_max
    judged = [(part, rulebook.judge(reading, part.start, part.end)) for part in parts[:limit]]
    return [
        Wish(_words(reading, part.start, part.end), _completed(judgement, whole), marked=part.mark != "")
        for part, judgement in judged
    ]


def _completed(judgement: Judgement, whole: Judgement) -> Classification:
    """Return a part's own classification; a feeling belongs to the person, so it is the whole message's."""
    emotion = whole.classification.emotion
    evidence = tuple(item for item in judgement.classification.evidence if item.field != "emotion")
    felt = tuple(item for item in whole.classification.evidence if item.field == "emotion")
    return judgement.classification.model_copy(update={"emotion": emotion, "evidence": (*evidence, *felt)})


def _ordered(wishes: list[Wish]) -> tuple[Wish, ...]:
    """Return the wishes by urgency, then importance; the customer's own numbering overrides (R7)."""
    if sum(wish.marked for wish in wishes) > 1:
        return tuple(wishes)
    return tuple(sorted(wishes, key=_rank))


def _rank(wish: Wish) -> tuple[bool, int, int]:
    judged = wish.classification
    return not judged.safety, SEVERITY_RANK[judged.severity], IMPORTANCE_RANK[judged.importance]


def _parts(rulebook: Rulebook, reading: Reading) -> list[_Stretch]:
    """Return the stretches of the text that are demands of their own; there is always at least one."""
    ordinals = _ordinal_starts(reading)
    parts: list[_Stretch] = []
    for stretch in _stretches(reading, ordinals):
        if parts and not _stands_alone(rulebook, reading, parts[-1], stretch):
            last = parts.pop()
            mark = last.mark or ("ordinal" if stretch.mark == "ordinal" else "")
            stretch = _Stretch(last.start, stretch.end, mark)  # noqa: PLW2901 - it has grown
        parts.append(stretch)
    return parts or [_Stretch(0, len(reading.plain), "")]


def _stretches(reading: Reading, ordinals: set[int]) -> Iterator[_Stretch]:
    additions = {found.start for found in reading.said("additions")}
    ends = {match.end() for match in _SENTENCE_END.finditer(reading.plain)}
    cuts = sorted({0, len(reading.plain), *ordinals, *additions, *ends})
    for start, end in pairwise(cuts):
        if _LETTERS.search(reading.plain, start, end):
            yield _Stretch(start, end, "ordinal" if start in ordinals else "addition" if start in additions else "")


def _ordinal_starts(reading: Reading) -> set[int]:
    """Return where numbered demands begin; a single number is not an enumeration."""
    words = {found.start for found in reading.said("ordinals") if _begins_clause(reading, found)}
    digits = {match.start() for match in _NUMBERED.finditer(reading.plain)}
    return next((starts for starts in (digits, words) if len(starts) > 1), set())


def _begins_clause(reading: Reading, found: Found) -> bool:
    before = reading.plain[: found.start].rstrip()
    return not before or not before[-1].isalnum() or before.endswith(("and", "then"))


def _stands_alone(rulebook: Rulebook, reading: Reading, before: _Stretch, stretch: _Stretch) -> bool:
    if stretch.mark == "ordinal":
        return before.mark == "ordinal" or _wants(rulebook, reading, before)
    if before.mark == "ordinal":
        return False
    if not _matters(rulebook, reading, stretch):
        return False
    if stretch.mark == "addition":
        return _matters(rulebook, reading, before)
    return _asks(reading, before) and _asks(reading, stretch) and _differs(rulebook, reading, before, stretch)


def _asks(reading: Reading, stretch: _Stretch) -> bool:
    return "?" in reading.plain[stretch.start : stretch.end]


def _wants(rulebook: Rulebook, reading: Reading, stretch: _Stretch) -> bool:
    return bool(reading.said("requests", stretch.start, stretch.end)) and _matters(rulebook, reading, stretch)


def _matters(rulebook: Rulebook, reading: Reading, stretch: _Stretch) -> bool:
    fields = (reading.rules.get(field, {}) for field in ("safety", "scenario", "category"))
    if not any(_within(parts, stretch) for rules in fields for parts in rules.values()):
        return False
    spoken = rulebook.judge(reading, stretch.start, stretch.end).spoken
    return bool(spoken & {"category", "scenario", "safety"})


def _within(parts: Mapping[Part, Sequence[Found]], stretch: _Stretch) -> bool:
    return any(stretch.start <= found.start and found.end <= stretch.end for found in parts.get("terms", ()))


def _differs(rulebook: Rulebook, reading: Reading, before: _Stretch, stretch: _Stretch) -> bool:
    one = rulebook.judge(reading, before.start, before.end)
    other = rulebook.judge(reading, stretch.start, stretch.end)
    both_named = "category" in one.spoken and "category" in other.spoken
    return both_named and one.classification.category != other.classification.category


def _words(reading: Reading, start: int, end: int) -> str:
    return reading.text[start:end].strip(_TRIM)
