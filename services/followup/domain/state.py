"""What does followup remember of a case?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.message import Message, derived_id
from contracts.values import CallbackPurpose, CaseState, Channel, Emotion, Scenario, Severity
from services.followup.domain.clocks import Clock

Supervision = Literal["none", "needed", "held"]


@dataclass(frozen=True)
class Callback:
    """A call that we owe the customer; one per purpose, kept after its end so that tries are numbered on (F2)."""

    callback_id: UUID
    purpose: CallbackPurpose
    state: Literal["planned", "calling", "ended"]
    at: datetime
    """``planned``: when to call. ``calling``: until when a report is awaited."""
    not_after: datetime
    asked_at: datetime
    phone: str | None = None
    agent_id: str | None = None
    attempt: int = 0
    earlier_attempts: int = 0
    """Tries of plans before this one: what becomes of them means nothing to it."""
    failures: int = 0
    """Tries of this plan that count; an agent who was not free does not."""
    machines: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """The question for a verdict after one closing (F4)."""

    survey_id: UUID
    cycle: int
    expires_at: datetime


@dataclass(frozen=True)
class Ladder:
    """Reminders of what we wait for: ``step`` of them are out (R6, L1)."""

    about: Literal["information", "confirmation"]
    since: datetime
    next_at: datetime | None
    """``None`` after the last step."""
    step: int = 0


@dataclass(frozen=True)
class CaseFollowup:
    """One case: the few facts that time needs, and everything that waits for a moment."""

    case_id: UUID
    state: CaseState
    customer_id: UUID
    channel: Channel
    language: str
    department: str
    scenario: Scenario
    severity: Severity
    told_at: datetime
    """When the customer last heard from us, or the case began (S5)."""
    version: int = 0
    """The last version of the journal; it changes more often than all the rest, which is why it is stored apart."""
    safety: bool = False
    emotion: Emotion = "calm"
    conversation_id: str | None = None
    time_zone: str | None = None
    phone: str | None = None
    agent_id: str | None = None
    cycle: int = 1
    supervision: Supervision = "none"
    clocks: tuple[Clock, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    survey: Survey | None = None
    ladders: tuple[Ladder, ...] = ()
    progress_steps: int = 0
    wake_at: datetime | None = None
    """When the case's timer is set to fire; it may be earlier than need be, never later."""

    @property
    def is_open(self) -> bool:
        """Tell whether there is still work on the case."""
        return self.state not in ("solved", "closed", "merged", "spam")


@dataclass(frozen=True)
class Decision:
    """What becomes of the case, and what others are told."""

    state: CaseFollowup
    messages: tuple[Message, ...] = ()


def callback_id_of(case_id: UUID, purpose: CallbackPurpose) -> UUID:
    """Return the id of a case's callback for a purpose: asking again moves it (F2)."""
    return derived_id(case_id, "callback", purpose)


def survey_id_of(case_id: UUID, cycle: int) -> UUID:
    """Return the id of the survey after a cycle's closing (F4)."""
    return derived_id(case_id, "survey", cycle)
