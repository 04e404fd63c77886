"""When may a message ring at a customer's?"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.policy.messages import QuietHours

_ROUNDS_MAX = 6


def release_at(now: datetime, time_zones: Iterable[str], quiet: QuietHours) -> datetime:
    """Return the first moment from ``now`` on that is quiet in none of these zones (F2).

    A customer who may be in several zones is left in peace in each. When the zones leave no common moment, the last
    end is taken: a message is deferred, never dropped.
    """
    zones = [ZoneInfo(name) for name in time_zones]
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    moment = now
    for _ in range(_ROUNDS_MAX):
        ends = [_end(moment, zone, end) for zone in zones if _is_quiet(moment.astimezone(zone).time(), start, end)]
        if not ends:
            return moment
        moment = max(ends)
    return moment


def _is_quiet(local: time, start: time, end: time) -> bool:
    local = local.replace(tzinfo=None)
    return start <= local < end if start <= end else local >= start or local < end


def _end(moment: datetime, zone: ZoneInfo, end: time) -> datetime:
    """Return the next time the clock on the wall there shows ``end``."""
    local = moment.astimezone(zone)
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    return max(datetime.combine(day, end, zone).astimezone(UTC), moment + timedelta(minutes=1))
