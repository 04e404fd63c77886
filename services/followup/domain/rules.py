"""What does the policy say about this case?"""

from dataclasses import dataclass
from datetime import datetime

from contracts.policy import Policy
from contracts.policy.calendars import WEEKDAYS, Calendar
from contracts.policy.followup import ClockPolicy, FollowupPolicy, PlannedCall, Signal
from contracts.topics import CHANNELS
from contracts.values import CallbackPurpose, Cause, PolicyRef
from services.followup.domain.calendar import WorkingCalendar
from services.followup.domain.state import CaseFollowup

DEPARTMENT = "department"


class Rules:
    """One version of the policy, its calendars opened once.

    Raises ``ValueError`` with the key when a clock or department names a calendar that the pack does not have.
    """

    __slots__ = ("_calendars", "_calling", "_departments", "_starts", "greeted_channels", "policy", "reference")

    def __init__(self, policy: Policy) -> None:
        """Open the calendars and order the clocks by what starts them."""
        self.policy: FollowupPolicy = policy.followup
        self.reference: PolicyRef = policy.ref
        self._calendars = {name: WorkingCalendar(name, given) for name, given in policy.calendars.items()}
        self._departments = {name: department.calendar for name, department in policy.departments.items()}
        self._calling: dict[str, WorkingCalendar] = {}
        self._starts: dict[Signal, dict[str, ClockPolicy]] = {}
        for name, clock in self.policy.clocks.items():
            for signal in clock.start:
                self._starts.setdefault(signal, {})[name] = clock
        greetings = self._starts.get("connected", {}).values()
        self.greeted_channels = frozenset(channel for clock in greetings for channel in clock.channels or CHANNELS)
        """Where the beginning of a conversation is remembered until there is a case (R2)."""
        self._check(policy)

    def _check(self, policy: Policy) -> None:
        named = {f"followup.clocks.{name}.calendar": clock.calendar for name, clock in self.policy.clocks.items()}
        named |= {f"departments.{name}.calendar": calendar for name, calendar in self._departments.items()}
        always = policy.calendars.get(self.policy.always_calendar)
        if always is None or not always.always_open:
            raise ValueError(
                "followup.always_calendar: a promised moment counts by day and night; name one with always_open"
            )
        for key, calendar in named.items():
            if calendar != DEPARTMENT and calendar not in self._calendars:
                raise ValueError(f"{key}: there is no calendar {calendar!r} in [calendars]")

    def clocks_started_by(self, signals: frozenset[Signal]) -> dict[str, ClockPolicy]:
        """Return the clocks that any of these signals starts."""
        found: dict[str, ClockPolicy] = {}
        for signal in signals:
            found |= self._starts.get(signal, {})
        return found

    def calendar(self, name: str) -> WorkingCalendar:
        """Return a calendar; one that a running clock was started by and that is gone is replaced by 24x7."""
        return self._calendars.get(name) or self._calendars[self.policy.always_calendar]

    def calendar_of(self, state: CaseFollowup, wanted: str) -> WorkingCalendar:
        """Return the calendar that a clock of this case runs in: 24x7 when urgent or unsafe, else the wanted one."""
        if state.severity in self.policy.always_severities or (state.safety and self.policy.always_safety):
            return self.calendar(self.policy.always_calendar)
        if wanted != DEPARTMENT:
            return self.calendar(wanted)
        return self.calendar(self._departments.get(state.department, self.policy.always_calendar))

    def department_calendar(self, state: CaseFollowup) -> WorkingCalendar:
        """Return when the department in charge works."""
        return self.calendar(self._departments.get(state.department, self.policy.always_calendar))

    def calling_hours(self, time_zone: str | None) -> WorkingCalendar:
        """Return when a customer in this zone may be called (F2)."""
        zone = time_zone or self.policy.time_zone
        if zone not in self._calling:
            self._calling[zone] = self._calling_calendar(zone)
        return self._calling[zone]

    def _calling_calendar(self, zone: str) -> WorkingCalendar:
        """Open a zone that a stranger may have named wrongly: then it is the policy's."""
        hours = dict.fromkeys(WEEKDAYS, self.policy.callbacks.hours)
        try:
            calendar = Calendar(time_zone=zone, weekdays=hours)
        except ValueError:
            calendar = Calendar(time_zone=self.policy.time_zone, weekdays=hours)
        return WorkingCalendar("calling_hours", calendar)

    def call_after_resolution(self, state: CaseFollowup, *, executed: bool) -> PlannedCall | None:
        """Return how soon the customer is called after the case was solved; the first rule that fits (F1)."""
        for rule in self.policy.callbacks.after_resolution:
            if rule.solution_executed is not None and rule.solution_executed != executed:
                continue
            if _fits(state.scenario, rule.scenarios) and _fits(state.severity, rule.severities):
                return rule
        return None

    def script(self, purpose: CallbackPurpose, language: str) -> str:
        """Return what to say on a call, in the customer's language if there is one, else the first there is."""
        texts = self.policy.callbacks.scripts.get(purpose, {})
        same = (text for key, text in texts.items() if key.split("-")[0] == language.split("-", maxsplit=1)[0])
        return texts.get(language) or next(same, None) or next(iter(texts.values()), "")

    def progress_seconds(self, state: CaseFollowup) -> int:
        """Return how long a case may be silent (S5)."""
        reminders = self.policy.reminders
        return reminders.progress_by_severity.get(state.severity, reminders.progress_seconds)


def applies(clock: ClockPolicy, state: CaseFollowup) -> bool:
    """Tell whether this case gets the clock."""
    return (
        _fits(state.channel, clock.channels)
        and _fits(state.scenario, clock.scenarios)
        and _fits(state.severity, clock.severities)
    )


def target_seconds(clock: ClockPolicy, state: CaseFollowup) -> int:
    """Return the strictest target that fits the case."""
    fitting = (
        clock.by_severity.get(state.severity),
        clock.by_scenario.get(state.scenario),
        clock.by_channel.get(state.channel),
    )
    return min((target for target in fitting if target is not None), default=clock.target_seconds)


def _fits(value: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or value in wanted


@dataclass(frozen=True)
class Occasion:
    """Why and when something is decided, and by which rules."""

    rules: Rules
    cause: Cause
    at: datetime
