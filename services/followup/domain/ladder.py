"""When is a customer called again who was not reached?"""

from datetime import datetime, timedelta

from contracts.values import CallOutcome
from services.followup.domain.rules import Occasion
from services.followup.domain.state import Callback, CaseFollowup


def next_try_at(state: CaseFollowup, callback: Callback, outcome: CallOutcome, occasion: Occasion) -> datetime | None:
    """Return the next moment to try, in calling hours; ``None`` after the last rung, expiry, or a wrong number."""
    wanted = _rung_at(state, callback, outcome, occasion)
    if wanted is None:
        return None
    moment = occasion.rules.calling_hours(state.time_zone).first_open_at(wanted)
    return moment if moment < callback.not_after else None


def _rung_at(state: CaseFollowup, callback: Callback, outcome: CallOutcome, occasion: Occasion) -> datetime | None:
    policy = occasion.rules.policy.callbacks
    match outcome:
        case "wrong_number":
            return None
        case "agent_unavailable":
            return occasion.at + timedelta(seconds=policy.agent_retry_seconds)
        case "machine":
            more = callback.machines < policy.machine_tries
            return occasion.at + timedelta(seconds=policy.machine_retry_seconds) if more else None
        case _ if callback.failures > len(policy.ladder):
            return None
        case _:
            rung = policy.ladder[callback.failures - 1]
    if rung.after_seconds is not None:
        return occasion.at + timedelta(seconds=rung.after_seconds)
    return occasion.rules.department_calendar(state).next_day_open_at(occasion.at)
