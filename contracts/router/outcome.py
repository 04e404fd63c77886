"""Which events tell what happened elsewhere but matters to a case: clocks, callbacks, messages, surveys?"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.router.event import CaseEvent
from contracts.values import (
    CallbackPurpose,
    CallOutcome,
    Channel,
    Moment,
    Name,
    PersonalRef,
    PersonalText,
    Priority,
    Ref,
    Score,
    Text,
)


class ClockWarned(CaseEvent, type="caseloop.case.clock_warned.v1"):
    """A share of a clock's time has gone (S3)."""

    clock: Name
    clock_id: UUID
    percent: Annotated[int, Field(ge=1, le=100)]
    due_at: Moment
    promise_id: UUID | None = None


class ClockBreached(CaseEvent, type="caseloop.case.clock_breached.v1"):
    """A clock ran out; ``escalated`` says whether the case goes to the supervisor with it."""

    clock: Name
    clock_id: UUID
    due_at: Moment
    escalated: bool
    priority: Priority


class CallbackScheduled(CaseEvent, type="caseloop.case.callback_scheduled.v1"):
    """A call was promised (F1, F2); the same id again means that it moved."""

    callback_id: UUID
    purpose: CallbackPurpose
    at: Moment
    not_after: Moment | None = None
    phone: PersonalRef | None = None
    agent_id: Ref | None = None


class CallbackAttempted(CaseEvent, type="caseloop.case.callback_attempted.v1"):
    """One try of a callback did not reach the customer (F2)."""

    callback_id: UUID
    purpose: CallbackPurpose
    attempt: int
    outcome: CallOutcome
    next_at: Moment | None = None


class CallbackCompleted(CaseEvent, type="caseloop.case.callback_completed.v1"):
    """The customer was reached (F7)."""

    callback_id: UUID
    purpose: CallbackPurpose
    attempt: int
    solved: bool | None = None
    text: PersonalText | None = None
    at: Moment


class CallbackExhausted(CaseEvent, type="caseloop.case.callback_exhausted.v1"):
    """All tries failed (F2)."""

    callback_id: UUID
    purpose: CallbackPurpose
    attempts: int


class CallbackCancelled(CaseEvent, type="caseloop.case.callback_cancelled.v1"):
    """The call is not needed any more (F2)."""

    callback_id: UUID
    purpose: CallbackPurpose
    reason: Text


class CustomerNotified(CaseEvent, type="caseloop.case.customer_notified.v1"):
    """The customer was told (S4)."""

    delivery_id: UUID
    purpose: Name
    channel: Channel
    milestone: Name | None = None
    sent_at: Moment
    provider: Ref | None = None


class NotificationFailed(CaseEvent, type="caseloop.case.notification_failed.v1"):
    """The customer could not be told."""

    delivery_id: UUID
    purpose: Name
    channel: Channel
    milestone: Name | None = None
    reason: Text


class SurveySent(CaseEvent, type="caseloop.case.survey_sent.v1"):
    """The customer was asked for a verdict (F4)."""

    survey_id: UUID
    customer_id: UUID
    channel: Channel
    conversation_id: Ref | None = None
    cycle: int
    expires_at: Moment


class SurveyAnswered(CaseEvent, type="caseloop.case.survey_answered.v1"):
    """The customer's verdict (F4)."""

    survey_id: UUID
    response_speed: Score | None = None
    effectiveness: Score | None = None
    attitude: Score | None = None
    overall: Score
    text: PersonalText | None = None
    via: Literal["message", "agent", "call", "web"]


class RecoveryOpened(CaseEvent, type="caseloop.case.recovery_opened.v1"):
    """A low score: the supervisor follows up with compensation options (F5)."""

    survey_id: UUID
    callback_id: UUID
    reason: Text
    compensation_options: tuple[Text, ...] = ()
