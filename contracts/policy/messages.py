"""Which texts does a customer get, when and in which words?"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from contracts.policy.section import Section
from contracts.values import Language, Name

Purpose = Literal[
    "greeting", "choice", "acknowledgement", "information_request", "reminder", "waiting", "milestone", "progress",
    "delay_notice", "solution", "thanks", "survey", "apology",
]  # fmt: skip
"""Why a message goes out; the vocabulary of the interface."""
VARIABLE = re.compile(r"\{([a-z][a-z_]*)\}")
"""The only thing that is replaced in a text; there is no other syntax, so nothing else can be evaluated."""
Texts = dict[Language, Annotated[str, Field(min_length=1, max_length=4000)]]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Time = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def words(*required: str, may: Collection[str] = ()) -> AfterValidator:
    """Return the lint of one text: it uses all of ``required``, perhaps some of ``may``, and no other variable."""

    def check(texts: Mapping[str, str]) -> Mapping[str, str]:
        for language, text in texts.items():
            for problem in _problems(text, required, may):
                raise ValueError(f"{language}: {problem}")
        return texts

    return AfterValidator(check)


def _problems(text: str, required: Collection[str], may: Collection[str]) -> Iterator[str]:
    used = set(VARIABLE.findall(text))
    known = ", ".join(f"{{{name}}}" for name in sorted({*required, *may})) or "none"
    for name in sorted(used - {*required, *may}):
        yield f"{{{name}}} is not a variable of this text; its variables are: {known}"
    for name in sorted({*required} - used):
        yield f"{{{name}}} is not used; the customer would not learn it"
    if re.search(r"[{}]", VARIABLE.sub("", text)):
        yield f"a brace that is no variable; its variables are: {known}"


_SAFE = ("company", "case_number")


class Wording(Section):
    """One text per occasion and language, with the variables that it declares (Q3)."""

    greeting: Annotated[Texts, words("company")]
    greeting_script: Annotated[Texts, words("company")]
    """What the agent on the phone says first (R2)."""
    introduction: Annotated[Texts, words("agent_name", "agent_number", may=("company",))]
    choice: Annotated[Texts, words(may=("company",))]
    acknowledgement: Annotated[Texts, words("case_numbers", may=("company",))]
    emergency: Annotated[Texts, words("assistance_contact", may=_SAFE)]
    information_request: Annotated[Texts, words("case_number", "fields", "text")]
    reminder_information: Annotated[Texts, words("case_number", "fields")]
    reminder_confirmation: Annotated[Texts, words("case_number")]
    waiting: Annotated[Texts, words(may=_SAFE)]
    progress: Annotated[Texts, words("case_number", "step")]
    delay_moved: Annotated[Texts, words("case_number", "what", "due", "reason", "compensation")]
    delay_expected: Annotated[Texts, words("case_number", "due")]
    compensation: Annotated[Texts, words("amount")]
    """The sentence that stands for ``{compensation}`` when there is one."""
    solution_options: Annotated[Texts, words("case_number", "options")]
    solution_done: Annotated[Texts, words("case_number", "resolution")]
    thanks: Annotated[Texts, words(may=_SAFE)]
    survey: Annotated[Texts, words(may=_SAFE)]
    apology_escalated: Annotated[Texts, words("case_number", may=("company",))]
    apology_promise: Annotated[Texts, words("case_number", may=("company",))]
    apology_reopened: Annotated[Texts, words("case_number", may=("company",))]
    calming: Annotated[Texts, words(may=("company",))]
    """Stands before the other words when the customer is angry or distressed (C5)."""
    mail_subject: Annotated[Texts, words("company")]
    """Subject of an e-mail that answers none."""
    callback_label: Annotated[Texts, words()]
    """Label of the callback offered with ``waiting`` (A4)."""

    def of(self, occasion: str) -> Texts:
        """Return the texts of one occasion."""
        texts: Texts = getattr(self, occasion)
        return texts


class PurposeRule(Section):
    """How messages of one purpose travel."""

    via: Literal["conversation", "sms", "none"] = "conversation"
    """``conversation``: where the customer is (phone: by SMS); ``sms``: by SMS if possible (S4); ``none``: never."""
    quiet: Literal["defer", "send_if_urgent", "send"] = "defer"
    """In quiet hours: wait, go out only for urgent and safety cases, or always go out."""
    expires_seconds: Annotated[int, Field(ge=1)] = 86_400
    """After this the message is of no use any more."""


class QuietHours(Section):
    """Local time of day in which customers are left in peace; a start after the end spans midnight (F2)."""

    start: Time
    end: Time


def _is_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone of the IANA database, such as Asia/Shanghai") from None
    return name


class MessagesPolicy(Section):
    """The pack's section ``messages``."""

    time_zone: Annotated[str, AfterValidator(_is_time_zone)]
    """For customers whose time zone neither they nor their number tells."""
    quiet_hours: QuietHours | None = None
    quiet_channels: tuple[Literal["chat", "email", "social", "sms"], ...] = ("sms",)
    """Channels that ring: only there quiet hours count."""
    sms_countries: tuple[Country, ...]
    """Where SMS and calls may go; numbers elsewhere, and premium numbers anywhere, are refused (toll fraud)."""
    sms_characters_max: Annotated[int, Field(ge=70, le=1600)] = 500
    introduce_agent: bool = True
    """Tell a chat or social customer the agent's name and number once the case is assigned (R2)."""
    promise_notice_percent: Annotated[int, Field(ge=1, le=100)] | None = 90
    """At this share of a promise's time the system itself tells the customer of the coming delay (S3)."""
    waiting_clocks: tuple[Name, ...] = ()
    """A warning of one of these clocks, with nobody assigned yet, brings the ``waiting`` message (A4)."""
    purposes: dict[Purpose, PurposeRule]
    wording: Wording
    milestones: dict[Name, Annotated[Texts, words("case_number", may=("company", "details"))]]
    """The text of each milestone; ``{details}`` is empty or stands in brackets (S4)."""
    choices: Annotated[dict[Name, Texts], Field(min_length=1)]
    """What a customer without a stated need can choose from (R3)."""
    fields: dict[Name, Texts]
    """How facts are called when the customer is asked for them; others are called by their id (R6)."""

    def lint(self, languages: Collection[str], milestones: Collection[str]) -> None:
        """Raise ``ValueError`` naming the key of the first text that a customer could miss."""
        for key in self._missing(milestones):
            raise ValueError(f"messages.{key}: missing; every purpose and every milestone of the vocabulary has one")
        for key, texts in self._all_texts():
            for language in languages:
                if language not in texts:
                    raise ValueError(f"messages.{key}: no text in {language}, a language of the pack")

    def _missing(self, milestones: Collection[str]) -> Iterator[str]:
        yield from (f"purposes.{purpose}" for purpose in get_args(Purpose) if purpose not in self.purposes)
        yield from (f"milestones.{milestone}" for milestone in milestones if milestone not in self.milestones)

    def _all_texts(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for occasion in Wording.model_fields:
            yield f"wording.{occasion}", self.wording.of(occasion)
        tables = {"milestones": self.milestones, "choices": self.choices, "fields": self.fields}
        for table, texts_by_name in tables.items():
            for name, texts in texts_by_name.items():
                yield f"{table}.{name}", texts
