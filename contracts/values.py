"""Which small values do all messages share, and how do they look on the wire?"""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.functional_validators import AfterValidator

TEXT_MAX = 65_536
"""Longest free text, in characters; longer text travels as an attachment by URL."""


class Value(BaseModel):
    """A part of a message: frozen, closed for what we write (readers open it with ``extra="ignore"``)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """Return the one spelling of a moment on our wires: RFC 3339, UTC, ``Z``, microseconds only when there are any."""
    return f"{moment.astimezone(UTC).isoformat()[:-6]}Z"


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A point in time, always UTC; the encoder spells it as :func:`rfc3339` does."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""An id out of a policy's vocabulary: department, category, milestone, skill, fact ..."""
Ref = Annotated[str, Field(min_length=1, max_length=255)]
"""An id that another system chose."""
Text = Annotated[str, Field(max_length=TEXT_MAX)]
PersonalText = Annotated[str, Field(max_length=TEXT_MAX, json_schema_extra={"x-personal": True})]
"""Free text, names, numbers and addresses of customers: the only place where personal data may travel."""
PersonalRef = Annotated[str, Field(min_length=1, max_length=320, json_schema_extra={"x-personal": True})]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Level = Annotated[int, Field(ge=1, le=5)]
Score = Annotated[int, Field(ge=1, le=5)]
Seconds = Annotated[int, Field(ge=0)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

Channel = Literal["phone", "chat", "email", "social", "sms"]
Scenario = Literal["question", "problem", "complaint", "after_sales", "suggestion"]
Severity = Literal["urgent", "important", "normal"]
Importance = Literal["important", "routine"]
Quadrant = Literal["urgent_important", "important", "urgent", "routine"]
Emotion = Literal["calm", "angry", "distressed"]
Tier = Literal["standard", "silver", "gold"]
Band = Literal["critical", "high", "medium", "low"]
Presence = Literal["available", "busy", "away", "offline"]
Role = Literal["agent", "supervisor"]
CaseState = Literal[
    "new",
    "queued",
    "offered",
    "assigned",
    "waiting_customer",
    "waiting_department",
    "solved",
    "closed",
    "merged",
    "spam",
]
OVER: frozenset[CaseState] = frozenset({"closed", "merged", "spam"})
"""States in which nobody works on a case any more."""
CallbackPurpose = Literal[
    "requested",
    "waiting_too_long",
    "after_resolution",
    "promise",
    "recovery",
    "care",
    "retention",
]
CallOutcome = Literal["answered", "busy", "no_answer", "machine", "failed", "wrong_number", "agent_unavailable"]
Relation = Literal["same_contact", "follow_up", "duplicate", "related", "parent", "child"]


class Party(Value):
    """Somebody outside, by one identifier (R4)."""

    kind: Literal["phone", "email", "member", "order", "social"]
    value: PersonalRef


class Actor(Value):
    """Who did it."""

    kind: Literal["agent", "supervisor", "customer", "integrator", "system"]
    id: Ref


class Cause(Value):
    """The message that led to this one: the envelope id, or the derived id of a timer."""

    id: Ref
    type: Ref


class PolicyRef(Value):
    """The policy pack that judged."""

    name: Ref
    version: Ref


class Money(Value):
    """An amount as a decimal string, never a float."""

    amount: Annotated[str, Field(pattern=r"^-?\d{1,15}(\.\d{1,4})?$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Attachment(Value):
    """A file that lies elsewhere."""

    name: PersonalText
    media_type: Ref
    size_bytes: Annotated[int, Field(ge=0)]
    url: PersonalText


class Evidence(Value):
    """Why a field of a classification has its value (C1)."""

    field: Name
    value: Ref
    rule: Ref
    quote: PersonalText | None = None


class Customer(Value):
    """Who the customer is, as intake knows it (R4)."""

    customer_id: UUID
    name: PersonalText | None = None
    parties: tuple[Party, ...] = ()
    tier: Tier = "standard"
    at_risk: bool = False
    language: Language
    time_zone: Ref | None = None


class OpenCaseRef(Value):
    """One earlier case of this customer."""

    case_id: UUID
    state: CaseState
    category: Name


class History(Value):
    """What the customer had before this contact (R4)."""

    earlier_cases: Annotated[int, Field(ge=0)] = 0
    open_cases: tuple[OpenCaseRef, ...] = ()
    repeat_of_unsolved: UUID | None = None


class Contact(Value):
    """One interaction on one channel (R1)."""

    contact_id: UUID
    conversation_id: Ref
    channel: Channel
    received_at: Moment
    to: PersonalText | None = None
    reply_token: Ref | None = None
    in_reply_to: PersonalText | None = None
    """E-mail: the Message-ID an answer must refer to."""
    subject: PersonalText | None = None


class Classification(Value):
    """What the need is, and which rule said so (C1-C5)."""

    scenario: Scenario
    category: Name
    severity: Severity
    importance: Importance
    quadrant: Quadrant
    emotion: Emotion
    safety: bool
    evidence: tuple[Evidence, ...] = ()


Facts = dict[Name, PersonalText]
"""Structured facts of a case: what, when, where, who, why, how, order_no, product_model, error_code ... (R6)."""


class Demand(Value):
    """One thing the customer wants (R7, R9)."""

    demand_id: UUID
    text: PersonalText
    position: Annotated[int, Field(ge=1)]
    """The order in which the demands are handled: urgency, importance, else the customer's own order."""
    facts: Facts = {}
    classification: Classification
    department: Name
    skills: dict[Name, Level] = {}


class SolutionOption(Value):
    """One way out, offered to the customer (S1)."""

    option_id: Ref
    title: Text
    steps: tuple[Text, ...]
    duration_seconds: Seconds
    advantages: Text = ""
    drawbacks: Text = ""
    guarantee: Text = ""


class PriorityComponent(Value):
    """One summand of the published formula (C7)."""

    name: Name
    points: int


class Priority(Value):
    """One number, higher first, with what it is made of (C7)."""

    value: int
    band: Band
    components: tuple[PriorityComponent, ...] = ()
