"""What does a calendar say to somebody who looks at every single minute? The oracle of the clocks.

Fortnights in which the clocks change or holidays fall, looked at once and added up: how many working minutes lie before
each minute.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from contracts.policy.calendars import WEEKDAYS, Calendar
from services.followup.domain.calendar import WorkingCalendar
from tests.unit.followup.test_calendar import MINUTE
from tests.unit.followup.test_calendar_oracle import is_open

MINUTES = 14 * 24 * 60
FORTNIGHTS = {
    "New York springs forward": datetime(2026, 3, 3, tzinfo=UTC),
    "Berlin springs forward, Easter": datetime(2026, 3, 25, tzinfo=UTC),
    "Lord Howe moves by half an hour": datetime(2026, 10, 1, tzinfo=UTC),
    "Berlin falls back": datetime(2026, 10, 20, tzinfo=UTC),
    "Chinese New Year": datetime(2026, 2, 10, tzinfo=UTC),
    "National Day": datetime(2026, 9, 28, tzinfo=UTC),
}
_WEEK = WEEKDAYS[:5]
CALENDARS = {
    "shanghai with lunch and holidays": Calendar(
        time_zone="Asia/Shanghai", weekdays=dict.fromkeys(_WEEK, ("09:00-12:00", "13:00-18:00")), holidays="CN"
    ),
    "berlin": Calendar(time_zone="Europe/Berlin", weekdays=dict.fromkeys(_WEEK, ("09:00-17:00",))),
    "berlin at night": Calendar(
        time_zone="Europe/Berlin", weekdays=dict.fromkeys(WEEKDAYS, ("00:00-06:00", "22:00-24:00"))
    ),
    "new york on Sundays": Calendar(time_zone="America/New_York", weekdays={"sunday": ("01:30-03:30",)}),
    "lord howe": Calendar(time_zone="Australia/Lord_Howe", weekdays=dict.fromkeys(WEEKDAYS, ("01:15-02:45",))),
    "always": Calendar(time_zone="UTC", always_open=True),
}


@cache
def working(name: str) -> WorkingCalendar:
    """Return the calendar as production has it."""
    return WorkingCalendar(name, CALENDARS[name])


@cache
def before(fortnight: str, name: str) -> Sequence[int]:
    """Return the number of working minutes before each minute of the fortnight."""
    begin, calendar, total = FORTNIGHTS[fortnight], CALENDARS[name], 0
    sums = [0]
    for minute in range(MINUTES):
        total += calendar.always_open or is_open(calendar, begin + minute * MINUTE)
        sums.append(total)
    return sums


Ran = Sequence[tuple[int, int | None]]
"""From which minute to which a clock ran; the last may still run."""


def used(sums: Sequence[int], ran: Ran, now: int) -> int:
    """Return the working minutes of these times up to now."""
    return sum(sums[max(start, min(now if end is None else end, now))] - sums[start] for start, end in ran)


def used_up(sums: Sequence[int], ran: Ran, minutes: int) -> int | None:
    """Return the minute by which so many are used; ``None`` when these times do not hold them."""
    left = minutes
    for start, end in ran:
        last = MINUTES if end is None else end
        length = sums[last] - sums[start]
        if left <= length:
            return bisect_left(sums, sums[start] + left, start)
        left -= length
    return None
