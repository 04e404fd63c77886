"""What does the system want to say to whom, before it is known whether and how that is possible?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict, Unpack
from uuid import UUID

from contracts.message import derived_id
from contracts.notify import Choice
from contracts.policy import Policy
from contracts.policy.messages import Purpose
from contracts.values import CaseState, Channel, Contact, Customer
from services.notify.domain.case import Case
from services.notify.domain.recipients import Recipient, recipient_of
from services.notify.domain.wording import spoken

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Intention:
    """One message that should reach a customer at most once: its id is derived from what it is about."""

    delivery_id: UUID
    purpose: Purpose
    template: str
    language: str
    recipient: Recipient
    occurred_at: datetime
    values: Mapping[str, str] = field(default_factory=dict)
    case_id: UUID | None = None
    urgent: bool = False
    upset: bool = False
    milestone: str | None = None
    choices: tuple[Choice, ...] = ()
    kept_in: frozenset[CaseState] | None = None
    """States of the case in which the message still means something; in any other it is dropped."""
    by: Channel | None = None
    """The channel that was asked for, instead of the policy's."""
    script: bool = False
    """Words for the agent's screen, not for the customer's."""
    several: bool = False
    """Several cases share this message: the ones that come later only learn that it went out."""


class Details(TypedDict, total=False):
    """What only some messages about a case have; ``upset`` is the case's unless given."""

    upset: bool
    milestone: str
    choices: tuple[Choice, ...]
    kept_in: frozenset[CaseState]


def language_of(case: Case, policy: Policy) -> str:
    """Return the language in which the case's customer is written to."""
    return spoken(case.recipient.language, policy.languages)


def about_case(
    case: Case,
    purpose: Purpose,
    template: str,
    occurred_at: datetime,
    policy: Policy,
    *,
    once_per: tuple[object, ...],
    values: Mapping[str, str] = NOTHING,
    **details: Unpack[Details],
) -> Intention:
    """Return the message to a case's customer; ``once_per`` says which repeat is the same message."""
    details.setdefault("upset", case.upset)
    return Intention(
        delivery_id=derived_id(case.case_id, purpose, *once_per),
        purpose=purpose,
        template=template,
        language=language_of(case, policy),
        recipient=case.recipient,
        occurred_at=occurred_at,
        values={"case_number": case.case_number, "company": policy.company, **values},
        case_id=case.case_id,
        urgent=case.urgent,
        **details,
    )


def about_contact(
    contact: Contact,
    customer: Customer,
    purpose: Purpose,
    template: str,
    occurred_at: datetime,
    policy: Policy,
) -> Intention:
    """Return the bare message that answers a contact before there is a case; once per contact."""
    return Intention(
        delivery_id=derived_id(contact.contact_id, purpose),
        purpose=purpose,
        template=template,
        language=spoken(customer.language, policy.languages),
        recipient=recipient_of(contact, customer),
        occurred_at=occurred_at,
        values={"company": policy.company},
    )
