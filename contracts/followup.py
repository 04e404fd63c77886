"""What does followup say: clocks, promises, callbacks and surveys of a case (topic ``followups``)?"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.message import Message
from contracts.values import (
    CallbackPurpose,
    CallOutcome,
    Cause,
    Channel,
    Moment,
    Name,
    PersonalRef,
    PersonalText,
    PolicyRef,
    Ref,
    Score,
    Seconds,
    Text,
)


class Followup(Message):
    """Something that time brought about."""

    topic: ClassVar[str] = "followups"
    key_field: ClassVar[str] = "case_id"
    case_id: UUID
    occurred_at: Moment
    policy: PolicyRef
    cause: Cause


class ClockMessage(Followup):
    """One step in the life of a clock; both elapsed and working time are kept."""

    clock_id: UUID
    clock: Name
    promise_id: UUID | None = None
    calendar: Name
    target_seconds: Seconds
    elapsed_seconds: Seconds
    business_seconds: Seconds
    due_at: Moment | None = None
    """When it runs out as things stand; absent while paused or stopped."""


class ClockStarted(ClockMessage, type="caseloop.clock.started.v1"):
    """The clock runs."""


class ClockPaused(ClockMessage, type="caseloop.clock.paused.v1"):
    """The clock stands, for example while the customer is asked (R6)."""

    reason: Name


class ClockResumed(ClockMessage, type="caseloop.clock.resumed.v1"):
    """The clock goes on where it stood."""


class ClockWarning(ClockMessage, type="caseloop.clock.warned.v1"):
    """50, 75 or 90 % of the time has gone (S3)."""

    percent: Annotated[int, Field(ge=1, le=100)]


class ClockMet(ClockMessage, type="caseloop.clock.met.v1"):
    """Done in time."""


class ClockBroken(ClockMessage, type="caseloop.clock.breached.v1"):
    """The time ran out."""


class ClockCancelled(ClockMessage, type="caseloop.clock.cancelled.v1"):
    """The clock has no meaning any more (merged, spam, moved promise)."""

    reason: Name


class PromiseAtRisk(Followup, type="caseloop.promise.at_risk.v1"):
    """Somebody must act before the promise is missed (S3)."""

    promise_id: UUID
    due_at: Moment
    percent: Annotated[int, Field(ge=1, le=100)]


class PromiseBroken(Followup, type="caseloop.promise.breached.v1"):
    """The promised time passed (S2)."""

    promise_id: UUID
    due_at: Moment


class CallbackMessage(Followup):
    """One step in the life of a callback (F1, F2); one callback per case and purpose."""

    callback_id: UUID
    purpose: CallbackPurpose


class CallbackPlanned(CallbackMessage, type="caseloop.callback.scheduled.v1"):
    """A call will be placed; the same id again means that it moved."""

    at: Moment
    not_after: Moment | None = None
    phone: PersonalRef | None = None
    agent_id: Ref | None = None


class CallbackDue(CallbackMessage, type="caseloop.callback.due.v1"):
    """The call is to be placed now: notify turns this into ``outbound.call_requested``."""

    attempt: Annotated[int, Field(ge=1)]
    phone: PersonalRef
    agent_id: Ref | None = None
    mode: Literal["agent_first", "customer_first"]
    not_before: Moment
    not_after: Moment
    script: Text


class CallbackTried(CallbackMessage, type="caseloop.callback.attempted.v1"):
    """A try did not reach the customer; ``next_at`` is the next rung of the ladder."""

    attempt: int
    outcome: CallOutcome
    next_at: Moment | None = None


class CallbackDone(CallbackMessage, type="caseloop.callback.completed.v1"):
    """The customer was reached."""

    attempt: int
    solved: bool | None = None
    text: PersonalText | None = None
    at: Moment


class CallbackGivenUp(CallbackMessage, type="caseloop.callback.exhausted.v1"):
    """All tries failed."""

    attempts: int


class CallbackDropped(CallbackMessage, type="caseloop.callback.cancelled.v1"):
    """The call is not needed any more."""

    reason: Text


class SurveyMessage(Followup):
    """One step in the life of a survey (F4); one per closing cycle."""

    survey_id: UUID
    customer_id: UUID
    cycle: int


class SurveyRequested(SurveyMessage, type="caseloop.survey.sent.v1"):
    """The customer is asked: notify sends the question."""

    channel: Channel
    conversation_id: Ref | None = None
    language: Ref
    expires_at: Moment


class SurveyReply(SurveyMessage, type="caseloop.survey.answered.v1"):
    """The customer's verdict, matched from the inbound channel."""

    response_speed: Score | None = None
    effectiveness: Score | None = None
    attitude: Score | None = None
    overall: Score
    text: PersonalText | None = None


class SurveyExpired(SurveyMessage, type="caseloop.survey.expired.v1"):
    """Nobody answered in time, or the case was reopened."""

    reason: Literal["expired", "reopened"]


class ReminderDue(Followup, type="caseloop.care.reminder_due.v1"):
    """The customer is reminded of something we wait for: information or a confirmation (R6, L1)."""

    about: Literal["information", "confirmation", "progress"]
    step: Annotated[int, Field(ge=1)]
