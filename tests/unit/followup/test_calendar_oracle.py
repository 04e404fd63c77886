"""Does working time agree with looking at every minute, in many zones, around changes of the clocks and over years?"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy.calendars import WEEKDAYS, Calendar
from services.followup.domain.calendar import WorkingCalendar
from tests.unit.followup.test_calendar import MINUTE, ZONES

_times = st.integers(0, 24 * 12).map(lambda five: five * 5)


@st.composite
def hours(draw: st.DrawFn) -> list[str]:
    marks = sorted(draw(st.sets(_times, min_size=2, max_size=6)))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return [f"{_clock(opens)}-{_clock(closes)}" for opens, closes in pairs if opens < 24 * 60]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime, int]:
    zone = draw(st.sampled_from(ZONES))
    week = {weekday: draw(hours()) for weekday in draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))}
    start = draw(st.one_of(_near_a_change(zone), _moments))
    given_ = Calendar.model_validate(
        {"time_zone": zone, "weekdays": week, "holidays": draw(st.sampled_from([None, "CN"]))}
    )
    return given_, start, draw(st.integers(0, 3 * 24 * 60))


_moments = st.integers(0, 5 * 525_600).map(lambda minutes: datetime(2023, 1, 1, tzinfo=UTC) + minutes * MINUTE)


def _near_a_change(zone: str) -> st.SearchStrategy[datetime]:
    changes = _changes(zone)
    if not changes:
        return _moments
    return st.tuples(st.sampled_from(changes), st.integers(-1440, 1440)).map(lambda near: near[0] + near[1] * MINUTE)


def _changes(zone: str) -> list[datetime]:
    info = ZoneInfo(zone)
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(3 * 366)]
    return [
        day
        for day in days
        if day.astimezone(info).utcoffset() != (day + timedelta(days=1)).astimezone(info).utcoffset()
    ]


def is_open(given_: Calendar, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(given_.time_zone))
    intervals = given_.weekdays.get(WEEKDAYS[local.weekday()], ())
    if given_.holidays:
        if local.date() in _CHINA:
            return False
        if local.date() in _CHINA.weekend_workdays and not intervals:
            intervals = next(given_.weekdays[day] for day in WEEKDAYS if given_.weekdays.get(day))
    return any(_minutes(i[:5]) <= local.hour * 60 + local.minute < _minutes(i[6:]) for i in intervals)


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


@settings(max_examples=30, deadline=None)
@given(cases())
def test_working_time_is_what_counting_minutes_gives(case: tuple[Calendar, datetime, int]) -> None:
    given_, start, length = case
    ours = WorkingCalendar("test", given_)
    opened = [is_open(given_, start + minute * MINUTE) for minute in range(length)]
    end = start + length * MINUTE

    assert ours.working_between(start, end) == sum(opened) * MINUTE
    if any(opened):
        assert ours.first_open_at(start) == start + opened.index(True) * MINUTE
        last = max(number for number, is_open in enumerate(opened) if is_open)
        assert ours.add_working(start, sum(opened) * MINUTE) == start + (last + 1) * MINUTE


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 10_000_000), st.integers(0, 59_999_999))
def test_adding_and_measuring_agree_to_the_microsecond(
    case: tuple[Calendar, datetime, int], seconds: int, micro: int
) -> None:
    given_, start, _ = case
    ours, begun = WorkingCalendar("test", given_), start + timedelta(microseconds=micro)
    length = timedelta(seconds=seconds % 1_000_000, microseconds=micro % 1_000_000)

    end = ours.add_working(begun, length)

    assert ours.working_between(begun, end) == length
    middle = begun + (end - begun) / 2
    assert ours.working_between(begun, middle) + ours.working_between(middle, end) == length


def _china() -> holidays.HolidayBase:
    loaded = holidays.country_holidays("CN", years=range(2022, 2030))
    assert date(2026, 1, 1) in loaded
    return loaded


_CHINA = _china()
