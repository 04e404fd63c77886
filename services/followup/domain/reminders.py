"""When is the customer reminded of what we wait for, and when has a case been silent too long?"""

from datetime import datetime, timedelta
from typing import Literal

from contracts.followup import ReminderDue
from services.followup.domain.copying import replaced
from services.followup.domain.rules import Occasion, Rules
from services.followup.domain.state import CaseFollowup, Decision, Ladder

About = Literal["information", "confirmation", "progress"]


def wait_for(state: CaseFollowup, occasion: Occasion) -> CaseFollowup:
    """Set up the ladder that belongs to the state the case is in now, and take away those that do not (R6, L1)."""
    about: Literal["information", "confirmation"] | None = None
    if state.state == "waiting_customer":
        about = "information"
    elif state.state == "solved":
        about = "confirmation"
    kept = tuple(ladder for ladder in state.ladders if ladder.about == about)
    if about is not None and not kept:
        kept = _ladder(about, occasion)
    return state if kept == state.ladders else replaced(state, ladders=kept)


def due(state: CaseFollowup, occasion: Occasion) -> Decision:
    """Remind of what is due; steps that were slept through are one reminder (R6, L1, S5)."""
    messages: tuple[ReminderDue, ...] = ()
    for ladder in state.ladders:
        if ladder.next_at is None or ladder.next_at > occasion.at:
            continue
        climbed = _climbed(ladder, occasion)
        messages += (_reminder(state, ladder.about, climbed.step, occasion),)
        others = tuple(each for each in state.ladders if each is not ladder)
        state = replaced(state, ladders=(*others, climbed))
    silent = _break_silence(state, occasion)
    return Decision(silent.state, (*messages, *silent.messages))


def _climbed(ladder: Ladder, occasion: Occasion) -> Ladder:
    moments = [ladder.since + timedelta(seconds=seconds) for seconds in _steps(ladder.about, occasion)]
    passed = sum(1 for moment in moments if moment <= occasion.at)
    return replaced(ladder, step=passed, next_at=moments[passed] if passed < len(moments) else None)


def progress_at(state: CaseFollowup, rules: Rules) -> datetime | None:
    """Return when the case will have been silent too long; ``None`` while it is not us who are waited for (S5)."""
    if not state.is_open or state.state == "waiting_customer":
        return None
    return state.told_at + timedelta(seconds=rules.progress_seconds(state))


def _break_silence(state: CaseFollowup, occasion: Occasion) -> Decision:
    moment = progress_at(state, occasion.rules)
    if moment is None or moment > occasion.at:
        return Decision(state)
    told = replaced(state, told_at=occasion.at, progress_steps=state.progress_steps + 1)
    return Decision(told, (_reminder(told, "progress", told.progress_steps, occasion),))


def _ladder(about: Literal["information", "confirmation"], occasion: Occasion) -> tuple[Ladder, ...]:
    steps = _steps(about, occasion)
    return (Ladder(about, occasion.at, occasion.at + timedelta(seconds=min(steps))),) if steps else ()


def _steps(about: Literal["information", "confirmation"], occasion: Occasion) -> tuple[int, ...]:
    reminders = occasion.rules.policy.reminders
    return tuple(sorted(reminders.information_seconds if about == "information" else reminders.confirmation_seconds))


def _reminder(state: CaseFollowup, about: About, step: int, occasion: Occasion) -> ReminderDue:
    return ReminderDue(
        case_id=state.case_id,
        occurred_at=occasion.at,
        policy=occasion.rules.reference,
        cause=occasion.cause,
        about=about,
        step=step,
    )
