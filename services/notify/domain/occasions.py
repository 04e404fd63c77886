"""Which event of a case is an occasion to tell its customer something?"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from contracts.message import derived_id
from contracts.notify import Choice
from contracts.policy import Policy
from contracts.policy.messages import Purpose
from contracts.router import (
    CaseAssigned,
    CaseClosed,
    CaseEscalated,
    CaseEvent,
    CaseInformationRequested,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    ClockWarned,
    MilestoneReached,
    PromiseBreached,
    PromiseMoved,
    SolutionProposed,
)
from contracts.values import SolutionOption
from services.notify.domain.case import ASSIGNED, AT_WORK, CLOSED, SOLVED, UNATTENDED, WAITING, Case
from services.notify.domain.intention import NOTHING, Intention, about_case, language_of
from services.notify.domain.recipients import zones_of
from services.notify.domain.wording import bracketed, fill, listed, moment, neutral

_CHOICE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def occasion(case: Case, event: CaseEvent, policy: Policy) -> Intention | None:
    """Return what this event makes us tell the customer of the case, if anything."""
    told = _OCCASIONS.get(event.type)
    return None if told is None else told(case, event, policy)


def _opened(case: Case, event: CaseOpened, policy: Policy) -> Intention | None:
    """Acknowledge an e-mail with all case numbers it led to (R2), and an emergency wherever it came from (C4)."""
    purpose: Purpose = "acknowledgement"
    at = event.occurred_at
    if event.assistance_contact is not None:
        values = {"assistance_contact": neutral(event.assistance_contact)}
        return about_case(case, purpose, "emergency", at, policy, once_per=("emergency",), values=values)
    if event.contact.channel != "email":
        return None
    values = {"case_numbers": case.case_number}
    bare = about_case(case, purpose, purpose, at, policy, once_per=(), values=values)
    return replace(bare, delivery_id=derived_id(event.contact.contact_id, purpose), several=True)


def _assigned(case: Case, event: CaseAssigned, policy: Policy) -> Intention | None:
    """Tell a live customer who is there for them now (R2)."""
    if not (_is_live(case) and policy.messages.introduce_agent):
        return None
    values = {"agent_name": neutral(event.agent_name), "agent_number": neutral(event.agent_number)}
    once_per = (event.agent_id, case.cycle)
    return about_case(
        case,
        "greeting",
        "introduction",
        event.occurred_at,
        policy,
        once_per=once_per,
        values=values,
        kept_in=ASSIGNED,
        upset=False,
    )


def _milestone(case: Case, event: MilestoneReached, policy: Policy) -> Intention:
    """Tell a milestone, once per recipient and cycle (S4)."""
    phone = case.recipient.first("phone")
    address = case.recipient.conversation_id if phone is None else phone.value
    details = bracketed([neutral(value) for value in event.details.values() if value], language_of(case, policy))
    return about_case(
        case,
        "milestone",
        event.milestone,
        event.occurred_at,
        policy,
        once_per=(event.milestone, event.cycle, address),
        values={"details": details},
        milestone=event.milestone,
        upset=False,
    )


def _information_requested(case: Case, event: CaseInformationRequested, policy: Policy) -> Intention:
    request: Purpose = "information_request"
    asked = fields(event.fields, language_of(case, policy), policy)
    return about_case(
        case,
        request,
        request,
        event.occurred_at,
        policy,
        once_per=(event.version,),
        values={"fields": asked, "text": neutral(event.text or "")},
        kept_in=WAITING,
    )


def _solution_proposed(case: Case, event: SolutionProposed, policy: Policy) -> Intention:
    options = "\n".join(_option(number, option) for number, option in enumerate(event.options, start=1))
    return about_case(
        case,
        "solution",
        "solution_options",
        event.occurred_at,
        policy,
        once_per=(event.version,),
        values={"options": options},
        choices=_choices(event.options),
        kept_in=AT_WORK,
    )


def _resolved(case: Case, event: CaseResolved, policy: Policy) -> Intention:
    values = {"resolution": _sentence(neutral(event.resolution))}
    once_per = ("done", event.cycle)
    return about_case(
        case,
        "solution",
        "solution_done",
        event.occurred_at,
        policy,
        once_per=once_per,
        values=values,
        kept_in=SOLVED,
        upset=False,
    )


def _closed(case: Case, event: CaseClosed, policy: Policy) -> Intention:
    return about_case(
        case, "thanks", "thanks", event.occurred_at, policy, once_per=(event.cycle,), kept_in=CLOSED, upset=False
    )


def _moved(case: Case, event: PromiseMoved, policy: Policy) -> Intention:
    """Tell the new time, why, and what makes up for it (S3)."""
    compensation = ""
    if event.compensation is not None:
        amount = f"{event.compensation.amount} {event.compensation.currency}"
        wording = policy.messages.wording.of("compensation")[language_of(case, policy)]
        compensation = fill(wording, {"amount": amount})
    values = {"what": neutral(event.what), "reason": neutral(event.reason), "compensation": compensation}
    return _delay(case, event, "delay_moved", policy, values)


def _warned(case: Case, event: ClockWarned, policy: Policy) -> Intention | None:
    """Tell a coming delay before the promised time passes (S3); soothe who waits for somebody (A4)."""
    if event.promise_id is None:
        return _waiting(case, event, policy)
    threshold = policy.messages.promise_notice_percent
    if threshold is None or event.percent < threshold:
        return None
    return _delay(case, event, "delay_expected", policy, NOTHING)


def _delay(
    case: Case,
    event: PromiseMoved | ClockWarned,
    template: str,
    policy: Policy,
    values: Mapping[str, str],
) -> Intention:
    zones = zones_of(case.recipient, policy.messages.time_zone)
    zone = zones[0] if len(zones) == 1 else policy.messages.time_zone
    return about_case(
        case,
        "delay_notice",
        template,
        event.occurred_at,
        policy,
        once_per=(event.promise_id, template, int(event.due_at.timestamp())),
        values={"due": moment(event.due_at, zone), **values},
        kept_in=AT_WORK,
    )


def _waiting(case: Case, event: ClockWarned, policy: Policy) -> Intention | None:
    if event.clock not in policy.messages.waiting_clocks or case.state not in UNATTENDED or not _is_live(case):
        return None
    label = policy.messages.wording.callback_label[language_of(case, policy)]
    return about_case(
        case,
        "waiting",
        "waiting",
        event.occurred_at,
        policy,
        once_per=(case.cycle,),
        choices=(Choice(id="callback", label=label),),
        kept_in=UNATTENDED,
    )


def _is_live(case: Case) -> bool:
    return case.recipient.channel in {"chat", "social"} and case.recipient.live


def _escalated(case: Case, event: CaseEscalated, policy: Policy) -> Intention:
    return _apology(case, event, "apology_escalated", policy, ("escalated", case.cycle))


def _breached(case: Case, event: PromiseBreached, policy: Policy) -> Intention:
    once_per = ("promise", event.promise_id, int(event.due_at.timestamp()))
    return _apology(case, event, "apology_promise", policy, once_per)


def _reopened(case: Case, event: CaseReopened, policy: Policy) -> Intention:
    return _apology(case, event, "apology_reopened", policy, ("reopened", event.cycle))


def _apology(case: Case, event: CaseEvent, template: str, policy: Policy, once_per: tuple[object, ...]) -> Intention:
    return about_case(
        case, "apology", template, event.occurred_at, policy, once_per=once_per, kept_in=AT_WORK, upset=False
    )


def fields(names: tuple[str, ...], language: str, policy: Policy) -> str:
    """Return what the customer is asked for, in their words (R6)."""
    known = policy.messages.fields
    return listed([known[name][language] if name in known else name.replace("_", " ") for name in names], language)


def _option(number: int, option: SolutionOption) -> str:
    steps = "; ".join(neutral(step) for step in option.steps)
    said = f"{number}. {neutral(option.title)}" + (f": {steps}" if steps else "")
    return said + (f" ({neutral(option.guarantee)})" if option.guarantee else "")


def _choices(options: tuple[SolutionOption, ...]) -> tuple[Choice, ...]:
    """Return the options as something to press, when all ids can stand there."""
    if not all(_CHOICE_ID.fullmatch(option.option_id) for option in options):
        return ()
    return tuple(Choice(id=option.option_id, label=neutral(option.title)) for option in options)


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?。！？…" else text + ("。" if not text.isascii() else ".")


_OCCASIONS: Mapping[str, Callable[[Case, Any, Policy], Intention | None]] = {
    CaseOpened.type: _opened,
    CaseAssigned.type: _assigned,
    MilestoneReached.type: _milestone,
    CaseInformationRequested.type: _information_requested,
    SolutionProposed.type: _solution_proposed,
    CaseResolved.type: _resolved,
    CaseClosed.type: _closed,
    PromiseMoved.type: _moved,
    ClockWarned.type: _warned,
    CaseEscalated.type: _escalated,
    PromiseBreached.type: _breached,
    CaseReopened.type: _reopened,
}
"""What is told at which event; a table, for to ask a model for its class takes many steps."""
