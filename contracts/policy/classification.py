"""How is a message understood: rules over words, first match wins, with an explicit default?

A *term* is lower-case text that is looked for in a customer's words. ``(a|b)`` means either, ``~`` a short gap inside
one sentence, ``#`` digits, ``*`` "or a longer word with this beginning". Latin terms match whole words. There
is nothing else, so no term can take more than a bounded time (C1).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.policy.section import Section
from contracts.values import Name, Scenario

Term = Annotated[str, Field(min_length=1, max_length=400)]
Terms = tuple[Term, ...]
Share = Annotated[int, Field(ge=0)]
FIELDS = ("safety", "emotion", "scenario", "category", "severity", "importance")
"""The fields in the order in which they are judged; a rule may look at fields before its own."""
VALUES: dict[str, tuple[str, ...]] = {
    "safety": ("yes", "no"),
    "emotion": ("calm", "angry", "distressed"),
    "scenario": ("question", "problem", "complaint", "after_sales", "suggestion"),
    "severity": ("urgent", "important", "normal"),
    "importance": ("important", "routine"),
}
"""What a field may be; categories are the pack's own vocabulary."""


Judged = Literal["safety", "emotion", "scenario", "category", "severity"]
Party = Literal["member", "social", "email", "phone", "order"]


class Rule(Section):
    """One line of a rule list: it holds when a term is found, nothing of ``unless`` is, and ``when`` is true."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]
    value: Name
    zh: Terms = ()
    en: Terms = ()
    also: Terms = ()
    """At least one of these must be found besides."""
    unless: Terms = ()
    when: dict[Judged, tuple[Name, ...]] = Field(default_factory=dict)

    @property
    def unconditional(self) -> bool:
        """Tell whether the rule always holds: the default at the end of a list."""
        return not (self.zh or self.en or self.also or self.when or self.unless)


Rules = Annotated[tuple[Rule, ...], Field(min_length=1)]


class Need(Section):
    """When a message states no need, so that the customer is asked to choose (R3)."""

    courtesy: Terms
    """Greetings, thanks and fillers: what is left without them is the need."""
    nothing: Terms
    """Words which say outright that nothing is wanted (wrong number, solved by itself)."""
    venting: Terms
    """Mere venting: no matter is named."""
    unclear_characters_max: Share = 7
    """A message in which no rule found anything and with fewer letters than this states no need."""


class Splitting(Section):
    """When one message holds several demands (R7)."""

    additions: Terms
    """Words that begin another demand: besides, by the way."""
    ordinals: Terms
    """Words that number demands in the customer's own order, which then overrides."""
    requests: Terms
    """Words with which a wish or question is expressed; a part without one belongs to the part before it."""
    demands_max: Annotated[int, Field(ge=1, le=20)] = 6


class Replies(Section):
    """How short answers are read: a choice, a verdict, a survey (R3, F4, L1)."""

    choices: tuple[Scenario, ...] = ("question", "problem", "complaint", "question")
    """What the numbers of the choice prompt mean, in its order; the last is "other business"."""
    choice_words: dict[Scenario, Terms]
    solved: Terms
    unsolved: Terms
    scores: dict[Literal["1", "2", "3", "4", "5"], Terms]
    opt_out: Terms = ("stop", "unsubscribe", "td", "t", "退订")
    """An SMS that is nothing but one of these asks for silence: an answer would be one message more."""
    reply_characters_max: Share = 60
    """A bare yes or no is short; longer words count only with an explicit phrase."""


class Threading(Section):
    """Which case a contact belongs to (R8, L1)."""

    reopen_window_seconds: Share = 604_800
    session_gap_seconds: Share = 43_200
    """A conversation silent for longer begins a new contact."""
    proposal_trust_seconds: Share = 3_600
    """A proposed case which the journal does not show within this time is not joined any more."""
    contact_channels: tuple[Literal["email", "sms", "phone", "chat", "social"], ...] = ("email", "sms")
    """Channels on which every message is a contact of its own."""


class Identity(Section):
    """Who the customer is (R4, C6)."""

    strength: tuple[Party, ...] = ("member", "social", "email", "phone", "order")
    """Strongest first: decides when identifiers contradict each other."""
    single: tuple[Party, ...] = ("member",)
    """Kinds of which one person has one: customers with different ones are never merged."""
    parties_max: Annotated[int, Field(ge=1, le=200)] = 30
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "CN"
    """Country of phone numbers written without a country code."""
    at_risk_complaints: Annotated[int, Field(ge=1)] = 2
    at_risk_window_seconds: Share = 7_776_000
    repeat_window_seconds: Share = 2_592_000
    """A new case of the category of an unsolved one within this time is a repeat."""


class Mail(Section):
    """Which mail is no customer's words (R2, R8)."""

    loop_mails_per_hour: Annotated[int, Field(ge=1)] = 30
    own_addresses: tuple[str, ...] = ()
    """Addresses we write from; a mail from one of them is our own."""


class ClassificationPolicy(Section):
    """The pack's section ``classification``."""

    characters_max: Annotated[int, Field(ge=100, le=20_000)] = 2_000
    """How much of a long text is judged."""
    figures: Terms
    """Figures of speech, negations and polite formulas: rules find nothing inside them (feelings excepted)."""
    hurry: Terms
    """Words of haste: they make a routine matter ``urgent`` in the quadrants (C3)."""
    safety: Rules
    emotion: Rules
    scenario: Rules
    category: Rules
    severity: Rules
    importance: Rules
    order_numbers: tuple[Annotated[str, Field(pattern=r"^[A-Z#]{0,4}9{4,20}$")], ...] = ("A999999999", "#W9999999")
    """Shapes of order numbers: letters as they are, ``9`` for any digit (R4, R6)."""
    need: Need
    splitting: Splitting
    replies: Replies
    threading: Threading = Threading()
    identity: Identity = Identity()
    mail: Mail = Mail()

    @model_validator(mode="after")
    def _lists_end_in_a_default(self) -> Self:
        for field in FIELDS:
            rules: tuple[Rule, ...] = getattr(self, field)
            if not rules[-1].unconditional or any(rule.unconditional for rule in rules[:-1]):
                raise ValueError(f"{field}: exactly the last rule must be the default, with nothing but name and value")
            wrong = [rule.name for rule in rules if rule.value not in VALUES.get(field, (rule.value,))]
            if wrong:
                raise ValueError(f"{field}: rule {wrong[0]} has a value that is none of {', '.join(VALUES[field])}")
            known = FIELDS[: FIELDS.index(field)]
            later = [rule.name for rule in rules if not set(rule.when) <= set(known)]
            if later:
                raise ValueError(f"{field}: rule {later[0]} looks at a field that is judged later")
        return self
