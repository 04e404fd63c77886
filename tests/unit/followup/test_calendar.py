"""Is working time right to the second, in every zone, over changes of the clocks, holidays and midnights?"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from contracts.policy.calendars import WEEKDAYS, Calendar
from services.followup.domain.calendar import NeverOpenError, WorkingCalendar

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OFFICE = dict.fromkeys(WEEKDAYS[:5], ("09:00-17:00",))
ZONES = (
    "UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns",
    "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "America/Santiago",
)  # fmt: skip


def calendar(zone: str = "UTC", **given_: object) -> WorkingCalendar:
    return WorkingCalendar("test", Calendar.model_validate({"time_zone": zone, "weekdays": OFFICE} | given_))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_an_hour_from_friday_half_past_four_ends_on_monday() -> None:
    assert calendar().add_working(at("2026-11-06T16:30"), HOUR) == at("2026-11-09T09:30")
    assert calendar().working_between(at("2026-11-06T16:30"), at("2026-11-09T09:30")) == HOUR


def test_time_that_just_fits_ends_with_the_day() -> None:
    assert calendar().add_working(at("2026-11-06T16:30"), 30 * MINUTE) == at("2026-11-06T17:00")


def test_nothing_is_over_at_once_even_at_night() -> None:
    assert calendar().add_working(at("2026-11-07T03:00"), timedelta()) == at("2026-11-07T03:00")


def test_lunch_is_not_working_time() -> None:
    lunch = calendar(weekdays=dict.fromkeys(WEEKDAYS[:5], ("09:00-12:00", "13:00-18:00")))

    assert lunch.add_working(at("2026-11-02T11:30"), HOUR) == at("2026-11-02T13:30")
    assert lunch.first_open_at(at("2026-11-02T12:30")) == at("2026-11-02T13:00")
    assert lunch.closes_at(at("2026-11-02T09:30")) == at("2026-11-02T12:00")
    assert lunch.next_day_open_at(at("2026-11-06T10:00")) == at("2026-11-09T09:00")


@pytest.mark.parametrize("zone", ZONES)
def test_a_calendar_of_whole_days_loses_no_minute_in_a_year(zone: str) -> None:
    whole = calendar(zone, weekdays=dict.fromkeys(WEEKDAYS, ("00:00-24:00",)))
    always = calendar(zone, always_open=True)
    start, end = at("2026-01-01T00:00"), at("2027-01-01T00:00")

    assert whole.working_between(start, end) == always.working_between(start, end) == end - start
    assert whole.add_working(start, end - start) == always.add_working(start, end - start) == end


def test_an_hour_that_the_clocks_skip_is_not_worked_and_one_they_repeat_is_worked_twice() -> None:
    night = calendar("Europe/Berlin", weekdays={"sunday": ("01:00-04:00",)})

    assert night.working_between(at("2026-03-28T12:00"), at("2026-03-30T00:00")) == 2 * HOUR
    assert night.working_between(at("2026-10-24T12:00"), at("2026-10-26T00:00")) == 4 * HOUR


def test_hours_that_begin_in_a_skipped_hour_begin_when_the_clocks_have_jumped() -> None:
    night = calendar("Europe/Berlin", weekdays={"sunday": ("02:30-04:00",)})
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)

    assert night.first_open_at(jump - HOUR) == jump


CHINA = calendar("Asia/Shanghai", holidays="CN", weekdays=dict.fromkeys(WEEKDAYS[:5], ("09:00-12:00", "13:00-18:00")))
WORKED = 8 * HOUR


@pytest.mark.parametrize(
    "day",
    [
        "2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11",
        "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
    ],
)  # fmt: skip
def test_china_works_on_make_up_days(day: str) -> None:
    assert _worked_on(CHINA, day) == WORKED


@pytest.mark.parametrize(
    "day",
    [
        "2025-01-01", "2025-01-28", "2025-02-04", "2025-04-04", "2025-05-05", "2025-06-02", "2025-10-08",
        "2026-01-02", "2026-02-16", "2026-02-23", "2026-04-06", "2026-05-05", "2026-06-19", "2026-09-25", "2026-10-07",
        "2026-11-07",
    ],
)  # fmt: skip
def test_china_rests_on_holidays_and_weekends(day: str) -> None:
    assert _worked_on(CHINA, day) == timedelta()


def test_china_works_as_many_days_a_year_as_the_state_council_says() -> None:
    assert _working_days(CHINA, 2025) == 248
    assert _working_days(CHINA, 2026) == 248


def test_single_dates_are_overridden_closed_before_open() -> None:
    changed = calendar(holidays="CN", open=["2026-10-01", "2026-11-07"], closed=["2026-11-02", "2026-02-14"])

    assert _worked_on(changed, "2026-10-01") == WORKED
    assert _worked_on(changed, "2026-11-07") == WORKED, "a Saturday takes the hours of the first working day"
    assert _worked_on(changed, "2026-11-02") == timedelta()
    assert _worked_on(changed, "2026-02-14") == timedelta()
    assert _worked_on(calendar(make_up=["10:00-12:00"], open=["2026-11-07"]), "2026-11-07") == 2 * HOUR


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"time_zone": "Asia/Nowhere"}, "IANA"),
        ({"weekdays": {}}, "never opens"),
        ({"weekdays": {"monday": ["22:00-06:00"]}}, "split at midnight"),
        ({"weekdays": {"monday": ["09:00-12:00", "11:00-13:00"]}}, "overlap"),
    ],
)
def test_a_calendar_that_cannot_be_meant_is_refused(given_: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        calendar(**({"zone": "UTC"} | given_))  # type: ignore[arg-type] # what a file may hold


def test_unknown_holidays_are_told_by_their_key() -> None:
    with pytest.raises(ValueError, match=r"holidays = 'XX'"):
        calendar(holidays="XX")


def test_a_calendar_that_stays_closed_says_so() -> None:
    with pytest.raises(NeverOpenError):
        calendar(weekdays={"monday": ["09:00-10:00"]}, closed=_all_mondays()).first_open_at(at("2026-11-02T00:00"))


def _worked_on(working: WorkingCalendar, day: str) -> timedelta:
    midnight = datetime.combine(date.fromisoformat(day), time(), ZoneInfo("Asia/Shanghai") if working is CHINA else UTC)
    return working.working_between(midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))


def _working_days(working: WorkingCalendar, year: int) -> int:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    return sum(1 for day in days if _worked_on(working, day.isoformat()))


def _all_mondays() -> list[str]:
    return [(date(2026, 10, 26) + timedelta(weeks=week)).isoformat() for week in range(600)]
