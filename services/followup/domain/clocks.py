"""What is a clock, and what does each thing that happens to it make of it?

A clock is a fold: its spans are the times it ran, and every moment it names (the next warning, the end) follows from
the spans, the target and a calendar, so that any verdict can be computed again for another calendar. Nothing is counted
on: a clock that was never looked at while the service was down is exactly as late as one that was.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.followup.domain.calendar import NOTHING, WorkingCalendar
from services.followup.domain.copying import replaced

ClockState = Literal["running", "paused", "met", "breached", "cancelled"]
StepKind = Literal["started", "paused", "resumed", "warned", "met", "breached", "cancelled"]
FULL = 100


@dataclass(frozen=True, slots=True)
class Span:
    """A time the clock ran; without ``end`` it still does."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Clock:
    """One clock with the definition it was started by (``policy_name`` and ``policy_version``)."""

    clock_id: UUID
    name: str
    calendar: str
    target: timedelta
    policy_name: str
    policy_version: str
    spans: tuple[Span, ...]
    state: ClockState = "running"
    meet: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    warnings: tuple[int, ...] = ()
    """Percentages not told yet."""
    pauses: bool = True
    due_at: datetime | None = None
    """When it runs out as things stand; kept after it did."""
    next_at: datetime | None = None
    """The next moment at which it has something to say; ``None`` while it stands or is over."""
    promise_id: UUID | None = None
    cycle: int = 1

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can happen to it any more, apart from late news of its being met."""
        return self.state not in ("running", "paused")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a clock, for others to know."""

    kind: StepKind
    clock: Clock
    at: datetime
    percent: int | None = None
    reason: str | None = None


Turn = tuple[Clock, tuple[Step, ...]]


def elapsed(clock: Clock, at: datetime) -> timedelta:
    """Return the time the clock ran up to then, by the wall, without its pauses."""
    total = NOTHING
    for span in clock.spans:
        total += max(min(span.end or at, at) - span.start, NOTHING)
    return total


def working(clock: Clock, at: datetime, calendar: WorkingCalendar) -> timedelta:
    """Return the working time the clock ran up to then."""
    total = NOTHING
    for span in clock.spans:
        total += calendar.working_between(span.start, min(span.end or at, at))
    return total


def start(clock: Clock, calendar: WorkingCalendar) -> Turn:
    """Begin: ``clock`` carries its definition and one open span."""
    begun = schedule(clock, calendar)
    return begun, (Step("started", begun, clock.spans[0].start),)


def schedule(clock: Clock, calendar: WorkingCalendar) -> Clock:
    """Compute the moments of a clock anew from its spans."""
    due_at = moment_of(clock, FULL, calendar)
    if clock.state != "running":
        return replaced(clock, due_at=due_at or clock.due_at, next_at=None)
    next_at = moment_of(clock, clock.warnings[0], calendar) if clock.warnings else due_at
    return replaced(clock, due_at=due_at, next_at=next_at)


def moment_of(clock: Clock, percent: int, calendar: WorkingCalendar) -> datetime | None:
    """Return when this share of the target was or will be used up; ``None`` when the spans end before."""
    left = clock.target * percent / FULL
    for span in clock.spans:
        if span.end is None:
            return calendar.add_working(span.start, left)
        used = calendar.working_between(span.start, span.end)
        if used >= left:
            return calendar.add_working(span.start, left)
        left -= used
    return None


def tick(clock: Clock, at: datetime, calendar: WorkingCalendar) -> Turn:
    """Say what is due by then: the end, else the highest warning; lower ones that were slept through are not told."""
    if clock.state != "running" or clock.next_at is None or at < clock.next_at:
        return clock, ()
    if clock.due_at is not None and at >= clock.due_at:
        return _run_out(clock, clock.due_at)
    percent, said_at = clock.warnings[0], clock.next_at
    rest = clock.warnings[1:]
    while rest and (moment := moment_of(clock, rest[0], calendar)) is not None and moment <= at:
        percent, said_at, rest = rest[0], moment, rest[1:]
    warned = schedule(replaced(clock, warnings=rest), calendar)
    return warned, (Step("warned", warned, said_at, percent=percent),)


def pause(clock: Clock, at: datetime, reason: str) -> Turn:
    """Stand still, unless the time was over before."""
    if clock.state != "running":
        return clock, ()
    if clock.due_at is not None and at > clock.due_at:
        return _run_out(clock, clock.due_at)
    paused = _ended(clock, at, state="paused", due_at=None, next_at=None)
    return paused, (Step("paused", paused, at, reason=reason),)


def resume(clock: Clock, at: datetime, calendar: WorkingCalendar) -> Turn:
    """Go on exactly where it stood."""
    if clock.state != "paused":
        return clock, ()
    last = clock.spans[-1].end or at
    resumed = schedule(replaced(clock, state="running", spans=(*clock.spans, Span(max(at, last)))), calendar)
    return resumed, (Step("resumed", resumed, at),)


def meet(clock: Clock, at: datetime) -> Turn:
    """Be done, in time up to the last moment; a breach told before the news of a timely end arrived is corrected."""
    if clock.state in ("met", "cancelled"):
        return clock, ()
    if clock.state != "paused" and clock.due_at is not None and at > clock.due_at:
        return (clock, ()) if clock.state == "breached" else _run_out(clock, clock.due_at)
    met = _ended(clock, at, state="met", next_at=None)
    return met, (Step("met", met, at),)


def cancel(clock: Clock, at: datetime, reason: str) -> Turn:
    """Have no meaning any more; a time that ran out before stays a breach."""
    if clock.is_over:
        return clock, ()
    if clock.state == "running" and clock.due_at is not None and at > clock.due_at:
        return _run_out(clock, clock.due_at)
    cancelled = _ended(clock, at, state="cancelled", due_at=None, next_at=None)
    return cancelled, (Step("cancelled", cancelled, at, reason=reason),)


def recompute(clock: Clock, calendar: WorkingCalendar) -> Clock:
    """Return the clock as it stands by another calendar, its verdict included (Clocks: on a change of policy).

    One that was met, but too late by the new calendar, is breached; one that ran out too early by it runs on.
    """
    judged = replaced(clock, calendar=calendar.name)
    over_at, ended_at = moment_of(judged, FULL, calendar), judged.spans[-1].end
    match clock.state:
        case "cancelled":
            return judged
        case "met" if over_at is not None and ended_at is not None and over_at < ended_at:
            return _run_out(replaced(judged, due_at=over_at), over_at)[0]
        case "breached" if over_at is None:
            *before, last = judged.spans
            return schedule(replaced(judged, state="running", spans=(*before, Span(last.start))), calendar)
        case _:
            return schedule(judged, calendar)


def _run_out(clock: Clock, due_at: datetime) -> Turn:
    breached = _ended(clock, due_at, state="breached", next_at=None)
    return breached, (Step("breached", breached, due_at),)


def _ended(clock: Clock, at: datetime, **changes: object) -> Clock:
    """Close the open span and change the rest; for a verdict corrected later the end moves back."""
    if clock.state == "paused":
        return replaced(clock, **changes)
    *before, last = clock.spans
    return replaced(clock, spans=(*before, Span(last.start, max(at, last.start))), **changes)
