"""Is a short message an answer to something we asked: a choice, a survey, a confirmation (R3, F4, L1)?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.intake import SurveyAnswer
from contracts.policy.classification import Replies
from contracts.values import Scenario
from services.intake.domain.classification import Reading
from services.intake.domain.normalization import comparable
from services.intake.domain.vocabulary import Vocabulary

_NUMBER = re.compile(
    r"(?<![0-9a-z.#])(?<!^[-−])(?<!\s[-−])([1-5])(?![0-9%]|\.(?!\s*$))(?:\s*(?:分|星|points?|stars?|/\s*5))?"
)
_FOUR = re.compile(r"([1-5])" + r"[\s,，、;；/.-]{0,5}([1-5])" * 3 + r"(?![0-9%])([^0-9]*)")
"""Four scores and no other figure, however they are set apart: "5 4 5 2.", "5/1/5/5", "5452"."""
_FORM = re.compile(
    r"[(\[]?1(?:\s?[)\]:、=]\s?|\.\s)([1-5])"
    + "".join(rf"\s?[分星]?[\s,;；、]{{0,5}}[(\[]?{place}(?:\s?[)\]:、=]\s?|\.\s)([1-5])" for place in (2, 3, 4))
    + r"(?![0-9%])([^0-9]*)"
)
"""The four questions with their numbers: "1) 5 2) 4 3) 5 4) 2", "1:5 2:4 3:5 4:2"."""
_STAR = re.compile("[⭐★🌟]\ufe0f?")
_UNLIT = re.compile("☆\ufe0f?")
STARS_MAX = 5
_LETTERS = re.compile(r"[^\W\d_]")
_BARE = re.compile(r"[\s,，;；、/.。!！]*")
_YES = frozenset({"1", "y", "yes", "是", "是的", "对", "对的", "嗯", "好了", "可以", "ok"})
_NO = frozenset({"2", "n", "no", "否", "不是", "没", "没有", "不", "不行"})
_EDGES = re.compile(r"^[\s.,。!#()\[\]、]+|(?<![\s.,。!#()\[\]、])[\s.,。!#()\[\]、]++$")
"""What surrounds a short answer; each run of signs is looked at once, however long it is."""
SCORES_ALL = 4
"""Response speed, effectiveness, attitude, overall: the order in which the survey asks."""
WORDS_BEYOND_SCORES_MAX = 80
SCORE_LETTERS_MAX = 12
"""A single score among more words than this is a number in a sentence and no verdict."""


@dataclass(frozen=True, slots=True)
class ReplyReader:
    """The compiled words of short answers."""

    policy: Replies
    scores: Vocabulary
    choices: tuple[tuple[Scenario, frozenset[str]], ...]
    opt_out: frozenset[str]


def reply_reader(policy: Replies) -> ReplyReader:
    """Compile the words of short answers once."""
    owned = ((int(score), term) for score, terms in policy.scores.items() for term in terms)
    choices = tuple((scenario, frozenset(map(comparable, terms))) for scenario, terms in policy.choice_words.items())
    return ReplyReader(policy, Vocabulary(owned), choices, frozenset(map(comparable, policy.opt_out)))


def choice_of(reader: ReplyReader, text: str) -> Scenario | None:
    """Return what the customer chose from the prompt, by number or by word; ``None`` when it is no choice (R3)."""
    bare = _EDGES.sub("", comparable(text))
    if bare.isdigit() and bare.isascii() and 1 <= int(bare[:3]) <= len(reader.policy.choices):
        return reader.policy.choices[int(bare) - 1]
    return next((scenario for scenario, words in reader.choices if bare in words), None)


def opts_out(reader: ReplyReader, text: str) -> bool:
    """Tell whether a message is nothing but "stop": it asks for silence, and for nothing else (R3)."""
    return _EDGES.sub("", comparable(text)) in reader.opt_out


def verdict_of(reader: ReplyReader, reading: Reading) -> bool | None:
    """Return whether the customer says that a solved case is solved; ``None`` when the words say neither (L1, F3).

    "No" is looked for first: "not solved" holds the word "solved". Figures do not answer a question in a long text.
    """
    bare = reading.plain.strip(" \n.,。!?~")
    if bare in _YES | _NO:
        return bare in _YES
    if reading.said("unsolved"):
        return False
    short = len(reading.plain.strip()) <= reader.policy.reply_characters_max
    return True if short and reading.said("solved") else None


def survey_answer_of(reader: ReplyReader, survey_id: UUID, text: str) -> SurveyAnswer | None:
    """Return the scores in a reply to a survey; ``None`` when there are none or it is plainly something else (F4)."""
    plain = comparable(text.strip())
    four = _FOUR.fullmatch(plain) or _FORM.fullmatch(plain)
    if four is not None and len(_LETTERS.findall(four[5])) <= WORDS_BEYOND_SCORES_MAX:
        return _answer(survey_id, [int(four[place]) for place in range(1, SCORES_ALL + 1)], _remark(text, four[5]))
    numbers = [int(found[1]) for found in _NUMBER.finditer(plain)]
    rest = _NUMBER.sub(" ", plain)
    letters = len(_LETTERS.findall(rest))
    if not numbers:
        return _in_stars(survey_id, text, plain) or _in_words(reader, survey_id, text, plain)
    if len(numbers) > SCORES_ALL or letters > WORDS_BEYOND_SCORES_MAX:
        return None
    scored = "分" in plain or "满意" in plain or "score" in plain or "rating" in plain or plain[0].isdigit()
    if len(numbers) == 1 and not scored and letters > SCORE_LETTERS_MAX:
        return None
    return _answer(survey_id, numbers, _remark(text, rest))


def _in_stars(survey_id: UUID, text: str, plain: str) -> SurveyAnswer | None:
    """Read "⭐⭐⭐⭐", without any figure; one star among words is an ornament."""
    lit = len(_STAR.findall(plain))
    rest = _UNLIT.sub("", _STAR.sub("", plain))
    letters = len(_LETTERS.findall(rest))
    ornament = (lit == 1 and letters > 0) or letters > WORDS_BEYOND_SCORES_MAX
    if not 1 <= lit <= STARS_MAX or ornament or any(sign.isdigit() for sign in plain):
        return None
    return _answer(survey_id, [lit], _remark(text, rest))


def _in_words(reader: ReplyReader, survey_id: UUID, text: str, plain: str) -> SurveyAnswer | None:
    """Read "very satisfied": of several expressions the longest decides, so that "not satisfied" is not "satisfied"."""
    found = sorted(reader.scores.find(plain), key=lambda place: place.start - place.end)
    if not found or len(plain) > reader.policy.reply_characters_max:
        return None
    return _answer(survey_id, [found[0].owner], text.strip() or None)


def _answer(survey_id: UUID, scores: Sequence[int], text: str | None) -> SurveyAnswer:
    if len(scores) == SCORES_ALL:
        speed, effect, attitude, overall = scores
        return SurveyAnswer(
            survey_id=survey_id,
            response_speed=speed,
            effectiveness=effect,
            attitude=attitude,
            overall=overall,
            text=text,
        )
    return SurveyAnswer(survey_id=survey_id, overall=scores[-1], text=text)


def _remark(text: str, rest: str) -> str | None:
    return text.strip() if _BARE.sub("", rest) else None
