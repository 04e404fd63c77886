"""Which records of the parking lot does a person mean?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cyclopts import Parameter

from services.cli.connection import SERVICES
from services.cli.failures import bad_input
from services.cli.typing_in import length_of
from services.runtime.parking_lot import Wanted

_AGE = re.compile(r"([0-9]{1,6})(s|m|h|d)")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Filter:
    """Which records of the lot are meant; what is not given does not matter."""

    service: str | None = None
    """Only this service's."""
    code: str | None = None
    """Only with this reason code, for example invalid_data."""
    topic: str | None = None
    """Only of this topic, without a prefix."""
    key: str | None = None
    """Only with this record key."""
    older_than: str | None = None
    """Only parked so long ago, for example 30m, 2h or 1d."""

    def wanted(self, now: datetime, statuses: Sequence[str]) -> Wanted:
        """Return what to look for in the tables; ``CommandError`` (status 2) for an age that is none."""
        key = None if self.key is None else self.key.encode()
        return Wanted(tuple(statuses), self.code, self.topic, key, self._before(now))

    def services(self) -> tuple[str, ...]:
        """Return whose parking lots are meant."""
        if self.service is not None and self.service not in SERVICES:
            raise bad_input(f"--service {self.service}: one of {', '.join(SERVICES)}")
        return (self.service,) if self.service else SERVICES

    def _before(self, now: datetime) -> datetime | None:
        if self.older_than is None:
            return None
        found = _AGE.fullmatch(self.older_than)
        if found is None:
            raise bad_input(f"--older-than {self.older_than}: write a number and s, m, h or d, for example 2h")
        return now - length_of(found[1], found[2])


EVERYTHING = Filter()
