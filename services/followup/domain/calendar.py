"""How much working time lies between two moments, and when is a given amount of it over?

A moment is working time when its *local* time of day lies in one of its local day's intervals. Days are therefore cut
where the zone's offset changes: an hour that a change skips is never counted, one that it repeats is counted twice, and
days that follow one another without a gap lose nothing at midnight.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import holidays

from contracts.policy.calendars import WEEKDAYS, Calendar

DAY = timedelta(days=1)
NOTHING = timedelta()
_DAYS_MAX = 3660
"""A calendar that does not open for ten years is a mistake of its author."""
_EARLIEST = timedelta(hours=14)
_LATEST = timedelta(hours=12)
"""Time zones reach from 14 hours ahead of UTC to 12 behind it."""

_Interval = tuple[datetime, datetime]
_Hours = tuple[tuple[timedelta, timedelta], ...]


class NeverOpenError(ValueError):
    """The calendar has no working time where it should."""


class WorkingCalendar:
    """Working time of one calendar of a policy pack; days are computed once and kept.

    Raises ``ValueError`` for a holiday calendar nobody knows.
    """

    __slots__ = ("_always", "_closed", "_days", "_holidays", "_hours", "_make_up", "_open", "_zone", "name")

    def __init__(self, name: str, calendar: Calendar) -> None:
        """Read the hours; ``name`` is what messages call the calendar."""
        self.name = name
        self._always = calendar.always_open
        self._zone = ZoneInfo(calendar.time_zone)
        self._hours: tuple[_Hours, ...] = tuple(_hours(calendar.weekdays.get(weekday, ())) for weekday in WEEKDAYS)
        self._make_up = _hours(calendar.make_up) or next((hours for hours in self._hours if hours), ())
        self._closed = frozenset(calendar.closed)
        self._open = frozenset(calendar.open)
        self._holidays = _holidays(calendar.holidays)
        self._days: dict[date, tuple[_Interval, ...]] = {}

    def add_working(self, start: datetime, working: timedelta) -> datetime:
        """Return the first moment by which this much working time has passed since ``start``.

        It is the end of Friday rather than the start of Monday when the time just fits; ``start`` itself for nothing.
        """
        if self._always or working <= NOTHING:
            return start + max(working, NOTHING)
        left = working
        for opens, closes in self._intervals(start):
            length = closes - max(opens, start)
            if left <= length:
                return max(opens, start) + left
            left -= max(length, NOTHING)
        raise NeverOpenError(self.name)

    def working_between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time from ``start`` to ``end``; nothing when they stand the other way round."""
        if self._always or end <= start:
            return max(end - start, NOTHING)
        total = NOTHING
        for opens, closes in self._intervals(start):
            if opens >= end:
                break
            total += max(min(closes, end) - max(opens, start), NOTHING)
        return total

    def first_open_at(self, moment: datetime) -> datetime:
        """Return this moment when it is working time, else the next one that is."""
        if self._always:
            return moment
        return next(max(opens, moment) for opens, closes in self._intervals(moment) if moment < closes)

    def closes_at(self, moment: datetime) -> datetime | None:
        """Return when the interval that holds this open moment ends; ``None`` for a calendar that never closes."""
        if self._always:
            return None
        return next(closes for opens, closes in self._intervals(moment) if moment < closes)

    def next_day_open_at(self, moment: datetime) -> datetime:
        """Return the first working moment of the next working day (F2)."""
        tomorrow = moment.astimezone(self._zone).date() + DAY
        return self.first_open_at(datetime.combine(tomorrow, time(), self._zone).astimezone(UTC))

    def _intervals(self, start: datetime) -> Iterator[_Interval]:
        """Yield working intervals in order, from the local day of ``start`` on; the first may lie before it."""
        first = start.astimezone(self._zone).date()
        idle = 0
        for number in count():
            intervals = self._day(first + number * DAY)
            idle = 0 if intervals else idle + 1
            if idle > _DAYS_MAX:
                raise NeverOpenError(self.name)
            yield from intervals

    def _day(self, day: date) -> tuple[_Interval, ...]:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = tuple(_cut(day, self._hours_of(day), self._zone))
        return known

    def _hours_of(self, day: date) -> _Hours:
        hours = self._hours[day.weekday()]
        if day in self._closed:
            return ()
        if day in self._open:
            return hours or self._make_up
        if self._holidays is None:
            return hours
        if day in self._holidays:  # this look-up also loads the year's make-up days
            return ()
        return (hours or self._make_up) if day in self._holidays.weekend_workdays else hours


def _hours(intervals: tuple[str, ...]) -> _Hours:
    return tuple((_since_midnight(interval[:5]), _since_midnight(interval[6:])) for interval in intervals)


def _since_midnight(clock: str) -> timedelta:
    return timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))


def _holidays(code: str | None) -> holidays.HolidayBase | None:
    if code is None:
        return None
    country, _, part = code.partition("-")
    known = getattr(holidays, country, None)
    if known is None or (part and part not in known.subdivisions):
        raise ValueError(f"holidays = {code!r}: no public holidays are known for it; give closed = [...]")
    return holidays.country_holidays(country, subdiv=part or None)


def _cut(day: date, hours: _Hours, zone: ZoneInfo) -> Iterator[_Interval]:
    """Yield a local day's intervals as moments in UTC, cut where the zone's offset changes."""
    if not hours:
        return
    midnight = datetime.combine(day, time(), UTC)
    for begins, ends, offset in _pieces(midnight - _EARLIEST, midnight + DAY + _LATEST, zone):
        local_midnight = midnight - offset
        for opens, closes in hours:
            start, end = max(local_midnight + opens, begins), min(local_midnight + closes, ends)
            if start < end:
                yield start, end


def _pieces(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the parts of a span with one offset each; no zone changes twice in the two days this is asked about."""
    before, after = _offset(start, zone), _offset(end, zone)
    if before == after:
        yield start, end, before
        return
    low, high = start, end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    yield start, high, before
    yield high, end, after


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or NOTHING
