"""Which event of a case is an occasion to tell its customer something?"""

import re
from dataclasses import replace

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
from services.notify.domain.case import AT_WORK, UNATTENDED, Case
from services.notify.domain.intention import Intention, about_case
from services.notify.domain.recipients import zones_of
from services.notify.domain.wording import bracketed, fill, listed, moment, neutral

_CHOICE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def occasion(case: Case, event: CaseEvent, policy: Policy) -> Intention | None:
    """Return what this event makes us tell the customer of the case, if anything."""
    match event:
        case CaseOpened() | CaseAssigned():
            return _begun(case, event, policy)
        case MilestoneReached():
            return _milestone(case, event, policy)
        case CaseInformationRequested() | SolutionProposed() | CaseResolved() | CaseClosed():
            return _work(case, event, policy)
        case PromiseMoved() | ClockWarned():
            return _delay(case, event, policy)
        case CaseEscalated() | PromiseBreached() | CaseReopened():
            return _apology(case, event, policy)
        case _:
            return None


def _begun(case: Case, event: CaseOpened | CaseAssigned, policy: Policy) -> Intention | None:
    return _opened(case, event, policy) if isinstance(event, CaseOpened) else _introduction(case, event, policy)


def _opened(case: Case, event: CaseOpened, policy: Policy) -> Intention | None:
    """Acknowledge an e-mail with all case numbers it led to (R2), and an emergency wherever it came from (C4)."""
    if event.assistance_contact is not None:
        bare = about_case(case, "acknowledgement", "emergency", event.occurred_at, policy, once_per=("emergency",))
        return replace(bare, values={**bare.values, "assistance_contact": neutral(event.assistance_contact)})
    if event.contact.channel != "email":
        return None
    bare = about_case(case, "acknowledgement", "acknowledgement", event.occurred_at, policy, once_per=())
    return replace(
        bare,
        delivery_id=derived_id(event.contact.contact_id, "acknowledgement"),
        values={**bare.values, "case_numbers": case.case_number},
        several=True,
    )


def _introduction(case: Case, event: CaseAssigned, policy: Policy) -> Intention | None:
    """Tell a live customer who is there for them now (R2)."""
    live = case.recipient.channel in {"chat", "social"} and case.recipient.live
    if not (live and policy.messages.introduce_agent):
        return None
    once_per = (event.agent_id, case.cycle)
    bare = about_case(case, "greeting", "introduction", event.occurred_at, policy, once_per=once_per)
    agent = {"agent_name": neutral(event.agent_name), "agent_number": neutral(event.agent_number)}
    return replace(bare, values={**bare.values, **agent}, upset=False, kept_in=frozenset({"assigned"}))


def _milestone(case: Case, event: MilestoneReached, policy: Policy) -> Intention:
    """Tell a milestone, once per recipient and cycle (S4)."""
    recipient = case.recipient.first("phone") or case.recipient.conversation_id
    address = recipient if isinstance(recipient, str) else recipient.value
    once_per = (event.milestone, event.cycle, address)
    bare = about_case(case, "milestone", event.milestone, event.occurred_at, policy, once_per=once_per)
    details = bracketed([neutral(value) for value in event.details.values() if value], bare.language)
    return replace(bare, values={**bare.values, "details": details}, milestone=event.milestone, upset=False)


def _work(
    case: Case,
    event: CaseInformationRequested | SolutionProposed | CaseResolved | CaseClosed,
    policy: Policy,
) -> Intention:
    at = event.occurred_at
    match event:
        case CaseInformationRequested():
            request: Purpose = "information_request"
            bare = about_case(case, request, request, at, policy, once_per=(event.version,))
            asked = {"fields": fields(event.fields, bare.language, policy), "text": neutral(event.text or "")}
            return replace(bare, values={**bare.values, **asked}, kept_in=frozenset({"waiting_customer"}))
        case SolutionProposed():
            bare = about_case(case, "solution", "solution_options", at, policy, once_per=(event.version,))
            options = "\n".join(_option(number, option) for number, option in enumerate(event.options, start=1))
            values = {**bare.values, "options": options}
            return replace(bare, values=values, choices=_choices(event.options), kept_in=AT_WORK)
        case CaseResolved():
            bare = about_case(case, "solution", "solution_done", at, policy, once_per=("done", event.cycle))
            values = {**bare.values, "resolution": _sentence(neutral(event.resolution))}
            return replace(bare, values=values, kept_in=frozenset({"solved"}), upset=False)
        case CaseClosed():
            bare = about_case(case, "thanks", "thanks", at, policy, once_per=(event.cycle,))
            return replace(bare, kept_in=frozenset({"closed"}), upset=False)


def _delay(case: Case, event: PromiseMoved | ClockWarned, policy: Policy) -> Intention | None:
    """Tell a coming delay before the promised time passes (S3); soothe who waits for somebody (A4)."""
    if isinstance(event, ClockWarned) and event.promise_id is None:
        return _waiting(case, event, policy)
    threshold = policy.messages.promise_notice_percent
    if isinstance(event, ClockWarned) and (threshold is None or event.percent < threshold):
        return None
    template = "delay_moved" if isinstance(event, PromiseMoved) else "delay_expected"
    once_per = (event.promise_id, template, int(event.due_at.timestamp()))
    bare = about_case(case, "delay_notice", template, event.occurred_at, policy, once_per=once_per)
    zones = zones_of(case.recipient, policy.messages.time_zone)
    zone = zones[0] if len(zones) == 1 else policy.messages.time_zone
    values = {**bare.values, "due": moment(event.due_at, zone)}
    if isinstance(event, PromiseMoved):
        values |= {"what": neutral(event.what), "reason": neutral(event.reason), "compensation": ""}
    if isinstance(event, PromiseMoved) and event.compensation is not None:
        amount = f"{event.compensation.amount} {event.compensation.currency}"
        values["compensation"] = fill(policy.messages.wording.of("compensation")[bare.language], {"amount": amount})
    return replace(bare, values=values, kept_in=AT_WORK)


def _waiting(case: Case, event: ClockWarned, policy: Policy) -> Intention | None:
    live = case.recipient.channel in {"chat", "social"} and case.recipient.live
    if event.clock not in policy.messages.waiting_clocks or case.state not in UNATTENDED or not live:
        return None
    bare = about_case(case, "waiting", "waiting", event.occurred_at, policy, once_per=(case.cycle,))
    label = policy.messages.wording.callback_label[bare.language]
    return replace(bare, choices=(Choice(id="callback", label=label),), kept_in=UNATTENDED)


def _apology(case: Case, event: CaseEscalated | PromiseBreached | CaseReopened, policy: Policy) -> Intention:
    once_per: tuple[object, ...]
    match event:
        case CaseEscalated():
            template, once_per = "apology_escalated", ("escalated", case.cycle)
        case PromiseBreached():
            template, once_per = "apology_promise", ("promise", event.promise_id, int(event.due_at.timestamp()))
        case CaseReopened():
            template, once_per = "apology_reopened", ("reopened", event.cycle)
    bare = about_case(case, "apology", template, event.occurred_at, policy, once_per=once_per)
    return replace(bare, kept_in=AT_WORK, upset=False)


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
