"""Which requests belong to calling back, asking for a verdict and the customer's wishes?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.desk.command import Command
from contracts.values import (
    CallbackPurpose,
    Channel,
    Language,
    Moment,
    PersonalRef,
    PersonalText,
    Ref,
    Score,
    Text,
    Value,
)


class Window(Value):
    """From when to when, in absolute time."""

    not_before: Moment
    not_after: Moment


class QuietHours(Value):
    """Local time of day, ``HH:MM``; a start after the end spans midnight."""

    start: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    time_zone: Ref | None = None


class ScheduleCallback(Command, type="caseloop.command.schedule_callback.v1"):
    """Call the customer back; a second request for one purpose moves the first (F2)."""

    purpose: CallbackPurpose
    at: Moment | None = None
    window: Window | None = None
    phone: PersonalRef | None = None


class CancelCallback(Command, type="caseloop.command.cancel_callback.v1"):
    """The call is not needed any more (F2)."""

    callback_id: UUID
    reason: Text


class RecordSurvey(Command, type="caseloop.command.record_survey.v1"):
    """The customer's verdict, taken down by an agent (F4)."""

    survey_id: UUID
    response_speed: Score
    effectiveness: Score
    attitude: Score
    overall: Score
    text: PersonalText | None = None


class SetPreference(Command, type="caseloop.command.set_preference.v1"):
    """How the customer wants to hear from us."""

    customer_id: UUID
    channel: Channel
    opt_in: bool
    quiet_hours: QuietHours | None = None
    language: Language | None = None


class EraseCustomer(Command, type="caseloop.command.erase_customer.v1"):
    """Remove this person's data everywhere (L3)."""

    customer_id: UUID
    legal_basis: Text
