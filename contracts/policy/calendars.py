"""When does a department work?"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from contracts.policy.section import Section

Interval = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Calendar(Section):
    """Working intervals by weekday in a time zone, with public holidays and make-up working days.

    ``always_open`` is 24x7. ``holidays`` is an ISO country code whose public holidays (and, for mainland China, make-up
    working days) are applied; ``closed`` and ``open`` override single dates.
    """

    time_zone: str
    always_open: bool = False
    weekdays: dict[Weekday, tuple[Interval, ...]] = {}
    holidays: str | None = None
    closed: tuple[date, ...] = ()
    open: tuple[date, ...] = ()
