"""Which contact or followup asks us to tell a customer something?"""

from dataclasses import replace

from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import derived_id
from contracts.notify import Choice, OutboundCallRequested
from contracts.policy import Policy
from contracts.values import Party
from services.notify.domain import numbers
from services.notify.domain.case import AT_WORK, OVER, SOLVED, WAITING, Case
from services.notify.domain.intention import Intention, about_case, about_contact, language_of
from services.notify.domain.occasions import fields
from services.notify.domain.wording import neutral, spoken


def greeting(started: ContactStarted, policy: Policy) -> Intention | None:
    """Greet on chat and social; hand the agent on the phone the words (R2)."""
    if started.contact.channel not in {"chat", "social", "phone"}:
        return None
    template = "greeting_script" if started.contact.channel == "phone" else "greeting"
    bare = about_contact(started.contact, started.customer, "greeting", template, started.occurred_at, policy)
    return replace(bare, script=started.contact.channel == "phone")


def choice(received: ContactReceived, policy: Policy) -> Intention | None:
    """Ask a customer who stated no need to choose (R3); on the phone the agent asks."""
    if not received.choice_needed or received.author != "customer" or received.contact.channel == "phone":
        return None
    bare = about_contact(received.contact, received.customer, "choice", "choice", received.occurred_at, policy)
    offered = policy.messages.choices.items()
    return replace(bare, choices=tuple(Choice(id=name, label=texts[bare.language]) for name, texts in offered))


def reminder(case: Case, due: ReminderDue, policy: Policy) -> Intention:
    """Remind of what we wait for, or break a silence (R6, L1, S5); the case decides whether that is still true."""
    at, once_per = due.occurred_at, (due.about, case.cycle, due.cause.id, due.step)
    match due.about:
        case "information":
            values = {"fields": fields(case.asked, language_of(case, policy), policy)}
            about = "reminder_information"
            return about_case(case, "reminder", about, at, policy, once_per=once_per, values=values, kept_in=WAITING)
        case "confirmation":
            return about_case(
                case, "reminder", "reminder_confirmation", at, policy, once_per=once_per, kept_in=SOLVED, upset=False
            )
        case "progress":
            values = {"step": neutral(case.step)}
            return about_case(
                case,
                "progress",
                "progress",
                at,
                policy,
                once_per=once_per,
                values=values,
                kept_in=AT_WORK,
            )


def survey(case: Case, asked: SurveyRequested, policy: Policy) -> Intention:
    """Ask for a verdict, once per survey (F4)."""
    bare = about_case(case, "survey", "survey", asked.occurred_at, policy, once_per=(), kept_in=OVER, upset=False)
    return replace(
        bare,
        delivery_id=derived_id(asked.survey_id, "survey"),
        language=spoken(asked.language, policy.languages),
        by=asked.channel,
    )


def call(due: CallbackDue, policy: Policy) -> OutboundCallRequested | str:
    """Return the request to place a call now (F1, F2), or why nobody is to dial this number (toll fraud)."""
    refused = numbers.refusal(due.phone, policy.messages.sms_countries)
    return refused or OutboundCallRequested(
        callback_id=due.callback_id,
        attempt=due.attempt,
        to=Party(kind="phone", value=due.phone),
        agent_id=due.agent_id,
        mode=due.mode,
        not_before=due.not_before,
        not_after=due.not_after,
        purpose=due.purpose,
        script=due.script,
        case_id=due.case_id,
    )
