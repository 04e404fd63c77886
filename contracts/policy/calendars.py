"""When does a department work?"""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from contracts.policy.section import Section

Interval = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""Local time from-to; ``24:00`` ends the day. A night shift is two intervals, one on each side of midnight."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _in_order(intervals: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse intervals that are empty, overlap or stand in the wrong order."""
    marks = [mark for interval in intervals for mark in interval.split("-")]
    if any(later <= earlier for earlier, later in zip(marks[::2], marks[1::2], strict=True)):
        raise ValueError("an interval ends after it begins; write a night shift as two, split at midnight")
    if any(later < earlier for earlier, later in pairwise(marks)):
        raise ValueError("the intervals of a day must not overlap and stand in the order of the day")
    return intervals


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(f"{name!r} is not an IANA time zone; write for example Asia/Shanghai") from unknown
    return name


Intervals = Annotated[tuple[Interval, ...], AfterValidator(_in_order)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]


class Calendar(Section):
    """Working intervals by weekday in a time zone, with public holidays and make-up working days.

    ``always_open`` is 24x7. ``holidays`` is an ISO country code, with a subdivision if wanted (``DE-BY``), whose public
    holidays (and, for mainland China, make-up working days) are applied; ``closed`` and ``open`` override single dates,
    ``closed`` before ``open``.
    """

    time_zone: TimeZone
    always_open: bool = False
    weekdays: dict[Weekday, Intervals] = Field(default={})
    make_up: Intervals = ()
    """Hours of a make-up or ``open`` day that falls on a weekday without any; else those of the first working day."""
    holidays: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = None
    closed: tuple[date, ...] = ()
    open: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _opens_at_all(self) -> Self:
        if not self.always_open and not any(self.weekdays.values()):
            raise ValueError("the calendar never opens: give hours for a weekday, or always_open = true")
        return self
