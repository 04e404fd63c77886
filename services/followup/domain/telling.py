"""What is told of the steps that a clock takes?"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from contracts.followup import (
    ClockBroken,
    ClockCancelled,
    ClockMessage,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockWarning,
    PromiseAtRisk,
    PromiseBroken,
)
from contracts.message import Message
from contracts.values import PolicyRef
from services.followup.domain import clocks
from services.followup.domain.clocks import Clock, Step
from services.followup.domain.rules import Occasion
from services.followup.domain.state import CaseFollowup

_MESSAGES: dict[str, type[ClockMessage]] = {
    "started": ClockStarted,
    "paused": ClockPaused,
    "resumed": ClockResumed,
    "warned": ClockWarning,
    "met": ClockMet,
    "breached": ClockBroken,
    "cancelled": ClockCancelled,
}


def told(steps: Iterable[Step], state: CaseFollowup, occasion: Occasion) -> Iterable[Message]:
    """Yield a message for each step, and what it means for the promise that the clock watches, if any."""
    for step in steps:
        yield _message(step, state, occasion)
        if step.clock.promise_id is not None:
            yield from _about_promise(step, state, occasion)


def _message(step: Step, state: CaseFollowup, occasion: Occasion) -> ClockMessage:
    clock, calendar = step.clock, occasion.rules.calendar(step.clock.calendar)
    extra: dict[str, Any] = {} if step.reason is None else {"reason": step.reason}
    if step.percent is not None:
        extra["percent"] = step.percent
    return _MESSAGES[step.kind](
        case_id=state.case_id,
        occurred_at=step.at,
        policy=_policy(clock, occasion),
        cause=occasion.cause,
        clock_id=clock.clock_id,
        clock=clock.name,
        promise_id=clock.promise_id,
        calendar=clock.calendar,
        target_seconds=_seconds(clock.target),
        elapsed_seconds=_seconds(clocks.elapsed(clock, step.at)),
        business_seconds=_seconds(clocks.working(clock, step.at, calendar)),
        due_at=clock.due_at,
        **extra,
    )


def _about_promise(step: Step, state: CaseFollowup, occasion: Occasion) -> Iterable[Message]:
    promise_id, due_at = step.clock.promise_id, step.clock.due_at
    if promise_id is None or due_at is None:
        return
    policy = _policy(step.clock, occasion)
    if step.kind == "warned" and step.percent is not None:
        yield PromiseAtRisk(
            case_id=state.case_id,
            occurred_at=step.at,
            policy=policy,
            cause=occasion.cause,
            promise_id=promise_id,
            due_at=due_at,
            percent=step.percent,
        )
    if step.kind == "breached":
        yield PromiseBroken(
            case_id=state.case_id,
            occurred_at=step.at,
            policy=policy,
            cause=occasion.cause,
            promise_id=promise_id,
            due_at=due_at,
        )


def _policy(clock: Clock, occasion: Occasion) -> PolicyRef:
    """Return the policy that the clock was started by; nearly always the present one."""
    reference = occasion.rules.reference
    if (clock.policy_name, clock.policy_version) == (reference.name, reference.version):
        return reference
    return PolicyRef(name=clock.policy_name, version=clock.policy_version)


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
