"""What is a need, and which rule said so: scenario, category, severity, importance, emotion, safety (C1-C5)?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from contracts.policy.classification import FIELDS, ClassificationPolicy, Rule
from contracts.values import Classification, Emotion, Evidence, Importance, Quadrant, Scenario, Severity
from services.intake.domain.normalization import comparable
from services.intake.domain.vocabulary import Found, Vocabulary, covered

Part = Literal["terms", "also", "unless"]
QUOTE_MAX = 200
_LISTS = (
    "figures",
    "hurry",
    "courtesy",
    "nothing",
    "venting",
    "additions",
    "ordinals",
    "requests",
    "solved",
    "unsolved",
)
_UNMASKED = frozenset({"emotion"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with every term that was found in it; all judgements are made from this."""

    text: str
    plain: str
    """The text made comparable, position by position the same."""
    rules: Mapping[str, Mapping[int, Mapping[Part, Sequence[Found]]]]
    """By field, rule and part of the rule; rules of which nothing was found are absent."""
    words: Mapping[str, Sequence[Found]]

    def said(self, name: str, start: int = 0, end: int | None = None) -> list[Found]:
        """Return where words of a list stand between two positions."""
        stop = len(self.plain) if end is None else end
        return [found for found in self.words.get(name, ()) if start <= found.start and found.end <= stop]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A classification, and the fields for which a rule other than the default spoke."""

    classification: Classification
    spoken: frozenset[str]


class Rulebook:
    """The compiled rules of one policy pack."""

    __slots__ = ("_defaults", "_keys", "_rules", "_vocabulary", "_wordless", "policy")

    def __init__(self, policy: ClassificationPolicy) -> None:
        """Compile every term once."""
        self.policy = policy
        self._rules: dict[str, tuple[Rule, ...]] = {field: getattr(policy, field) for field in FIELDS}
        self._wordless = {field: _wordless(rules) for field, rules in self._rules.items()}
        self._defaults = {
            rule.name: _evidence(field, rule, None) for field, rules in self._rules.items() for rule in rules
        }
        self._keys: list[tuple[str, int, Part] | str] = []
        self._vocabulary = Vocabulary(self._owned())

    def read(self, text: str) -> Reading:
        """Find all terms in a text; figures of speech hide what lies inside them, except from the feelings."""
        shown = text[: self.policy.characters_max]
        plain = comparable(shown)
        rules: dict[str, dict[int, dict[Part, list[Found]]]] = {}
        words: dict[str, list[Found]] = {}
        places = self._vocabulary.find(plain)
        masks = [found for found in places if self._keys[found.owner] == "figures"]
        for found in places:
            key = self._keys[found.owner]
            if isinstance(key, str):
                words.setdefault(key, []).append(found)
            elif not masks or key[0] in _UNMASKED or key[2] == "unless" or not covered(found, masks):
                rules.setdefault(key[0], {}).setdefault(key[1], {}).setdefault(key[2], []).append(found)
        return Reading(shown, plain, rules, words)

    def judge(self, reading: Reading, start: int = 0, end: int | None = None) -> Judgement:
        """Judge a stretch of a text field by field: the first rule that holds wins, the last always does."""
        stop = len(reading.plain) if end is None else end
        values: dict[str, str] = {}
        evidence, spoken = [], set()
        for field in FIELDS:
            rule, found = self._first(reading, field, values, start, stop)
            values[field] = rule.value
            if not rule.unconditional:
                spoken.add(field)
            quote = None if found is None else reading.text[found.start : found.end][:QUOTE_MAX]
            evidence.append(self._defaults[rule.name] if quote is None else _evidence(field, rule, quote))
        return Judgement(
            _classified(values, evidence, hurried=bool(reading.said("hurry", start, stop))), frozenset(spoken)
        )

    def _first(
        self,
        reading: Reading,
        field: str,
        values: Mapping[str, str],
        start: int,
        stop: int,
    ) -> tuple[Rule, Found | None]:
        rules = self._rules[field]
        hit = reading.rules.get(field, {})
        for index in sorted({*hit, *self._wordless[field]}):
            rule = rules[index]
            if rule.when and any(values[name] not in wanted for name, wanted in rule.when.items()):
                continue
            holds, found = _holds(hit.get(index, {}), rule, start, stop)
            if holds:
                return rule, found
        return rules[-1], None

    def _owned(self) -> Iterator[tuple[int, str]]:
        for field, rules in self._rules.items():
            for index, rule in enumerate(rules):
                parts: tuple[tuple[Part, tuple[str, ...]], ...] = (
                    ("terms", rule.zh + rule.en),
                    ("also", rule.also),
                    ("unless", rule.unless),
                )
                for part, terms in parts:
                    self._keys.append((field, index, part))
                    yield from ((len(self._keys) - 1, term) for term in terms)
        for name in _LISTS:
            self._keys.append(name)
            yield from ((len(self._keys) - 1, term) for term in _word_list(self.policy, name))


def with_scenario(classification: Classification, scenario: Scenario, rule: str, quote: str) -> Classification:
    """Return the classification with the scenario that the customer chose (R3)."""
    kept = tuple(item for item in classification.evidence if item.field != "scenario")
    chosen = Evidence(field="scenario", value=scenario, rule=rule, quote=quote[:QUOTE_MAX])
    return classification.model_copy(update={"scenario": scenario, "evidence": (chosen, *kept)})


def _word_list(policy: ClassificationPolicy, name: str) -> tuple[str, ...]:
    for section in (policy, policy.need, policy.splitting, policy.replies):
        terms = getattr(section, name, None)
        if terms is not None:
            return cast("tuple[str, ...]", terms)
    raise AssertionError(name)


def _wordless(rules: Sequence[Rule]) -> tuple[int, ...]:
    """Return the rules that hold without any word being found."""
    return tuple(index for index, rule in enumerate(rules) if not (rule.zh or rule.en))


def _holds(parts: Mapping[Part, Sequence[Found]], rule: Rule, start: int, stop: int) -> tuple[bool, Found | None]:
    def first(part: Part) -> Found | None:
        for found in parts.get(part, ()):
            if start <= found.start and found.end <= stop:
                return found
        return None

    found = first("terms")
    if found is None and (rule.zh or rule.en):
        return False, None
    if rule.also and first("also") is None:
        return False, None
    return first("unless") is None, found


def _evidence(field: str, rule: Rule, quote: str | None) -> Evidence:
    return Evidence(field=field, value=rule.value, rule=rule.name, quote=quote)


def _classified(values: Mapping[str, str], evidence: Sequence[Evidence], *, hurried: bool) -> Classification:
    return Classification(
        scenario=cast("Scenario", values["scenario"]),
        category=values["category"],
        severity=cast("Severity", values["severity"]),
        importance=cast("Importance", values["importance"]),
        quadrant=_quadrant(values, hurried=hurried),
        emotion=cast("Emotion", values["emotion"]),
        safety=values["safety"] == "yes",
        evidence=tuple(evidence),
    )


def _quadrant(values: Mapping[str, str], *, hurried: bool) -> Quadrant:
    """Return where the need stands between urgent and important (C3): haste makes a routine matter urgent, no more."""
    important = values["importance"] == "important"
    if values["severity"] == "urgent":
        return "urgent_important" if important else "urgent"
    if important:
        return "important"
    return "urgent" if hurried else "routine"
