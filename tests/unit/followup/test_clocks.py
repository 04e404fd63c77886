"""Is a clock, whatever happens to it, what a computation from scratch says?"""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.message import derived_id
from contracts.policy.calendars import WEEKDAYS, Calendar
from services.followup.domain import clocks
from services.followup.domain.calendar import WorkingCalendar
from services.followup.domain.clocks import Clock, Span, Turn
from tests.unit.followup.story import MONDAY

HOUR = timedelta(hours=1)
OFFICE = WorkingCalendar(
    "office",
    Calendar(time_zone="Asia/Shanghai", weekdays=dict.fromkeys(WEEKDAYS[:5], ("09:00-12:00", "13:00-18:00"))),
)
ALWAYS = WorkingCalendar("always", Calendar(time_zone="UTC", always_open=True))


def a_clock(
    target: timedelta = 2 * HOUR,
    calendar: WorkingCalendar = ALWAYS,
    at: datetime = MONDAY,
    warnings: tuple[int, ...] = (50, 75, 90),
) -> Clock:
    defined = Clock(
        derived_id("clock"), "resolution", calendar.name, target, "standard", "1", (Span(at),), warnings=warnings
    )
    return clocks.start(defined, calendar)[0]


def kinds(turn: Turn) -> list[str]:
    return [step.kind if step.percent is None else f"{step.kind} {step.percent}" for step in turn[1]]


def test_it_warns_at_each_share_and_ends_once() -> None:
    clock, said = a_clock(), []
    while clock.next_at is not None:
        turn = clocks.tick(clock, clock.next_at, ALWAYS)
        said += [(step.at - MONDAY, kind) for step, kind in zip(turn[1], kinds(turn), strict=True)]
        clock = turn[0]

    assert said == [
        (1 * HOUR, "warned 50"),
        (1.5 * HOUR, "warned 75"),
        (1.8 * HOUR, "warned 90"),
        (2 * HOUR, "breached"),
    ]
    assert kinds(clocks.tick(clock, MONDAY + 9 * HOUR, ALWAYS)) == []


def test_warnings_that_were_slept_through_are_one() -> None:
    clock, steps = clocks.tick(a_clock(), MONDAY + timedelta(minutes=100), ALWAYS)

    assert [(step.percent, step.at) for step in steps] == [(75, MONDAY + 1.5 * HOUR)]
    assert clock.next_at == MONDAY + 1.8 * HOUR


def test_a_breach_that_was_slept_through_is_told_with_its_own_moment() -> None:
    _, steps = clocks.tick(a_clock(), MONDAY + 30 * HOUR, ALWAYS)

    assert [(step.kind, step.at) for step in steps] == [("breached", MONDAY + 2 * HOUR)]


def test_it_is_met_up_to_its_last_moment() -> None:
    assert kinds(clocks.meet(a_clock(), MONDAY + 2 * HOUR)) == ["met"]
    assert kinds(clocks.meet(a_clock(), MONDAY + 2 * HOUR + timedelta(microseconds=1))) == ["breached"]


def test_late_news_of_a_timely_end_corrects_a_breach() -> None:
    breached, _ = clocks.tick(a_clock(), MONDAY + 2 * HOUR, ALWAYS)

    assert kinds(clocks.meet(breached, MONDAY + 1 * HOUR)) == ["met"]
    assert kinds(clocks.meet(breached, MONDAY + 3 * HOUR)) == []


def test_a_pause_moves_the_end_by_exactly_its_length() -> None:
    paused, _ = clocks.pause(a_clock(), MONDAY + HOUR, "waiting_customer")
    assert paused.due_at is None
    assert paused.next_at is None

    resumed, _ = clocks.resume(paused, MONDAY + 26.5 * HOUR, ALWAYS)

    assert resumed.due_at == MONDAY + 27.5 * HOUR
    assert clocks.elapsed(resumed, MONDAY + 27 * HOUR) == 1.5 * HOUR


def test_lunch_and_nights_do_not_count() -> None:
    clock = a_clock(9 * HOUR, OFFICE)

    assert clock.due_at == MONDAY + 25 * HOUR, "ten to twelve, one to six, nine to eleven"
    assert clocks.working(clock, MONDAY + 24 * HOUR, OFFICE) == 8 * HOUR
    assert clocks.elapsed(clock, MONDAY + 24 * HOUR) == 24 * HOUR


def test_a_pause_after_the_end_is_too_late() -> None:
    assert kinds(clocks.pause(a_clock(), MONDAY + 3 * HOUR, "waiting_customer")) == ["breached"]
    assert kinds(clocks.cancel(a_clock(), MONDAY + 3 * HOUR, "merged")) == ["breached"]


def test_another_calendar_gives_another_verdict() -> None:
    met, _ = clocks.meet(a_clock(4 * HOUR, OFFICE), MONDAY + 4.5 * HOUR)
    assert met.state == "met"

    strict = clocks.recompute(met, ALWAYS)
    assert (strict.state, strict.due_at) == ("breached", MONDAY + 4 * HOUR)

    breached, _ = clocks.tick(a_clock(4 * HOUR, ALWAYS), MONDAY + 5 * HOUR, ALWAYS)
    again = clocks.recompute(breached, OFFICE)
    assert (again.state, again.due_at) == ("running", MONDAY + 5 * HOUR)

    running = clocks.recompute(a_clock(4 * HOUR, ALWAYS), OFFICE)
    assert running == replace(a_clock(4 * HOUR, OFFICE))
