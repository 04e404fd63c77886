"""Which case do the tests of notify tell? One of a phone customer, told by events as the router says them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from contracts.case_number import case_number
from contracts.message import Message, derived_id
from contracts.policy import Policy, load_policy
from contracts.router import CaseEvent, CaseOpened
from contracts.values import Contact, Customer, Party
from services.notify.domain.case import Case, remembered
from tests.support.examples import example

_STANDARD = Path(__file__).parents[3] / "deploy" / "policies" / "standard.toml"
PACK = _STANDARD.read_text("utf-8")
POLICY: Policy = load_policy(_STANDARD)
NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
"""Noon in Shanghai: nobody is disturbed."""
NIGHT = datetime(2026, 11, 2, 18, 0, tzinfo=UTC)
"""Two in the morning in Shanghai."""
CASE_ID = derived_id("case of the story")
PHONE = Party(kind="phone", value="+8613800005678")
EMAIL = Party(kind="email", value="li@example.org")
SOCIAL = Party(kind="social", value="wx-open-id-1")

Kind = TypeVar("Kind", bound=Message)


def a(kind: type[Kind], **fields: Any) -> Kind:  # noqa: ANN401 - fields of any message
    """Return a message of this kind about the case, with these fields."""
    whole = example(kind)
    given = {"case_id": CASE_ID, "case_number": case_number(CASE_ID), "occurred_at": NOW} | fields
    return whole.model_copy(update={name: value for name, value in given.items() if name in kind.model_fields})  # type: ignore[return-value]  # the same kind


def contact(channel: str = "phone", **fields: Any) -> Contact:  # noqa: ANN401 - fields of a contact
    """Return a contact on this channel."""
    given = {
        "contact_id": derived_id("contact", channel), "conversation_id": f"{channel}-1", "channel": channel,
        "received_at": NOW,
    }  # fmt: skip
    return Contact.model_validate(given | fields)


def customer(*parties: Party, language: str = "en", **fields: Any) -> Customer:  # noqa: ANN401 - fields of a customer
    """Return a customer who can be reached there."""
    return Customer.model_validate(
        {"customer_id": derived_id("customer"), "parties": parties, "language": language} | fields,
    )


def opened(
    channel: str = "phone",
    *parties: Party,
    severity: str = "normal",
    emotion: str = "calm",
    language: str = "en",
    **fields: Any,  # noqa: ANN401 - fields of the contact
) -> CaseOpened:
    """Return the opening of the case."""
    event = a(CaseOpened)
    judged = event.demand.classification.model_copy(
        update={"severity": severity, "emotion": emotion, "safety": False},
    )
    given = {
        "version": 1,
        "state": "queued",
        "contact": contact(channel, **fields),
        "customer": customer(*parties, language=language),
        "demand": event.demand.model_copy(update={"classification": judged}),
        "assistance_contact": None,
        "links": (),
    }
    return event.model_copy(update=given)


def told(first: CaseOpened, *events: CaseEvent) -> Case:
    """Return the case after these events."""
    case = remembered(None, first)
    for event in events:
        case = remembered(case, event)
    assert case is not None
    return case
