"""Which clocks, promises, callbacks, surveys and reminders does a case get?"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.policy.calendars import Intervals, TimeZone
from contracts.policy.section import Section
from contracts.values import CallbackPurpose, Channel, Language, Name, Scenario, Severity

Period = Annotated[int, Field(ge=0, le=315_360_000)]
"""A length of time in whole seconds, at most ten years."""
Percent = Annotated[int, Field(ge=1, le=99)]
Signal = Literal[
    "connected", "opened", "contact_attached", "reclassified", "assigned", "released", "problem_restated",
    "understanding_confirmed", "information_requested", "information_received", "solution_proposed", "solution_chosen",
    "promise_made", "promise_moved", "promise_kept", "progressed", "milestone_reached", "transferred", "escalated",
    "relieved", "work_order_opened", "work_order_updated", "callback_completed", "resolved", "resolution_rejected",
    "reopened", "closed", "agent_spoke", "supervisor_spoke", "customer_told", "acknowledged",
]  # fmt: skip
"""What starts, meets or cancels a clock: the journal's events by their short names, and what they imply.

``connected``: a conversation began before the case did (R2). ``agent_spoke``: somebody at a desk said something to the
customer. ``supervisor_spoke``: the same, by whoever took over after an escalation. ``acknowledged``: the
acknowledgement went out. ``customer_told``: any message or word reached the customer. ``escalated`` is also given when
a breached clock escalates, and by a case that opens with the supervisor needed.
"""


def _ascending(percents: tuple[int, ...]) -> tuple[int, ...]:
    if list(percents) != sorted(set(percents)):
        raise ValueError("percentages must rise")
    return percents


Warnings = Annotated[tuple[Percent, ...], AfterValidator(_ascending)]
STANDARD_WARNINGS = (50, 75, 90)


class ClockPolicy(Section):
    """One clock: what starts it, what meets it, how long it may take, in whose hours.

    ``channels``, ``scenarios`` and ``severities`` say which cases get it; empty means all.
    """

    start: tuple[Signal, ...]
    meet: tuple[Signal, ...]
    cancel: tuple[Signal, ...] = ()
    channels: tuple[Channel, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    severities: tuple[Severity, ...] = ()
    target_seconds: Period
    by_severity: dict[Severity, Period] = Field(default={})
    by_scenario: dict[Scenario, Period] = Field(default={})
    by_channel: dict[Channel, Period] = Field(default={})
    """Of the targets that fit the case the strictest holds; without any ``target_seconds`` does."""
    calendar: Name = "department"
    """A calendar of the pack, or ``department``: that of the department in charge."""
    warnings: Warnings = STANDARD_WARNINGS
    pauses: bool = True
    """Stands still while the case waits for the customer (R6)."""
    again: bool = False
    """Starts anew when its start comes once more after it ended; else once in each cycle."""


class PromisePolicy(Section):
    """When somebody is warned of a promised moment that comes near; it counts by day and night (S2, S3)."""

    warnings: Warnings = STANDARD_WARNINGS


class Rung(Section):
    """When to try again: after some time, or on the department's next working day."""

    after_seconds: Period | None = None
    next_working_day: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.after_seconds is None) != self.next_working_day:
            raise ValueError("give either after_seconds or next_working_day = true")
        return self


class PlannedCall(Section):
    """A callback that the system plans by itself; the first rule that fits the case holds (F1)."""

    scenarios: tuple[Scenario, ...] = ()
    severities: tuple[Severity, ...] = ()
    solution_executed: bool | None = None
    after_seconds: Period
    """When the call is placed, moved into the customer's calling hours."""


class LiveContact(Section):
    """A live contact of the customer makes these calls unnecessary."""

    channels: tuple[Channel, ...] = ("phone",)
    purposes: tuple[CallbackPurpose, ...] = ("requested", "waiting_too_long")


class CallbackPolicy(Section):
    """When and how often customers are called back (F1, F2)."""

    after_resolution: tuple[PlannedCall, ...] = ()
    recovery_after_seconds: Period = 3600
    hours: Intervals = ("09:00-20:00",)
    """Calling hours in the customer's time zone; all other hours are quiet."""
    ladder: tuple[Rung, ...] = (Rung(after_seconds=900), Rung(after_seconds=7200), Rung(next_working_day=True))
    machine_retry_seconds: Period = 7200
    machine_tries: Annotated[int, Field(ge=1)] = 3
    agent_retry_seconds: Annotated[Period, Field(ge=1)] = 120
    report_seconds: Annotated[Period, Field(ge=1)] = 1800
    expiry_seconds: Period = 2_592_000
    mode: Literal["agent_first", "customer_first"] = "agent_first"
    closing_cancels: tuple[CallbackPurpose, ...] = ("requested", "waiting_too_long", "after_resolution", "promise")
    live_contact: LiveContact = LiveContact()
    scripts: dict[CallbackPurpose, dict[Language, str]] = Field(default={})


class SurveyPolicy(Section):
    """Who is asked for a verdict, and until when an answer counts (F4)."""

    outcomes: tuple[Literal["confirmed", "confirmation_exhausted", "by_hand"], ...] = ("confirmed", "by_hand")
    expiry_seconds: Period = 604_800
    channels: dict[Channel, Channel] = Field(default={"phone": "sms"})
    """Where the question goes when not to the channel the case came by."""


class ReminderPolicy(Section):
    """When the customer is reminded of what we wait for, and how long a case may be silent (R6, L1, S5)."""

    information_seconds: tuple[Period, ...] = (86_400, 172_800)
    confirmation_seconds: tuple[Period, ...] = (86_400, 172_800)
    progress_seconds: Annotated[Period, Field(ge=1)] = 86_400
    progress_by_severity: dict[Severity, Annotated[Period, Field(ge=1)]] = Field(default={"urgent": 7200})


class FollowupPolicy(Section):
    """The pack's section ``followup``."""

    time_zone: TimeZone = "Asia/Shanghai"
    """Of customers whose own is unknown."""
    always_calendar: Name = "always"
    always_severities: tuple[Severity, ...] = ("urgent",)
    always_safety: bool = True
    """Cases whose clocks run in ``always_calendar``, whatever the clock says."""
    clocks: dict[Name, ClockPolicy] = Field(default={})
    promise: PromisePolicy = PromisePolicy()
    callbacks: CallbackPolicy = CallbackPolicy()
    survey: SurveyPolicy = SurveyPolicy()
    reminders: ReminderPolicy = ReminderPolicy()
