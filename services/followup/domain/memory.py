"""Which facts of a case does time need, and which event changes them?"""

from typing import Any

from contracts.policy.followup import Signal
from contracts.router import (
    CaseAssigned,
    CaseContactAttached,
    CaseOpened,
    CaseReclassified,
    CaseReopened,
    CaseTransferred,
)
from contracts.values import Customer
from services.followup.domain.copying import replaced
from services.followup.domain.signals import Event, supervision_after
from services.followup.domain.state import CaseFollowup


def first_seen(event: CaseOpened) -> CaseFollowup:
    """Return a case as its first event tells it."""
    classification = event.demand.classification
    return CaseFollowup(
        case_id=event.case_id,
        version=event.version,
        state=event.state,
        customer_id=event.customer.customer_id,
        channel=event.contact.channel,
        language=event.customer.language,
        department=event.department,
        scenario=classification.scenario,
        severity=classification.severity,
        told_at=event.occurred_at,
        safety=classification.safety,
        emotion=classification.emotion,
        conversation_id=event.contact.conversation_id,
        time_zone=event.customer.time_zone,
        phone=_phone(event.customer),
        agent_id=event.preferred_agent_id,
    )


def remember(state: CaseFollowup, event: Event, signals: frozenset[Signal]) -> CaseFollowup:
    """Return the case with version, state and facts as they are after the event."""
    return replaced(
        state,
        version=event.version or state.version,
        state=event.state or state.state,
        told_at=event.occurred_at if "customer_told" in signals else state.told_at,
        supervision=supervision_after(state, event),
        **_facts(state, event),
    )


def _facts(state: CaseFollowup, event: Event) -> dict[str, Any]:
    match event:
        case CaseAssigned():
            return {"agent_id": event.agent_id, "department": event.department}
        case CaseTransferred():
            return {"agent_id": event.to_agent_id or state.agent_id, "department": event.department}
        case CaseReclassified(classification=classification):
            return {
                "department": event.department,
                "scenario": classification.scenario,
                "severity": classification.severity,
                "safety": classification.safety,
                "emotion": classification.emotion,
            }
        case CaseReopened():
            return {"cycle": event.cycle}
        case CaseContactAttached():
            return _customer(state, event.customer)
        case _:
            return {}


def _customer(state: CaseFollowup, customer: Customer) -> dict[str, Any]:
    """Take over what the newest contact tells of the customer; what it does not tell stands."""
    return {
        "customer_id": customer.customer_id,
        "language": customer.language,
        "time_zone": customer.time_zone or state.time_zone,
        "phone": _phone(customer) or state.phone,
    }


def _phone(customer: Customer) -> str | None:
    return next((party.value for party in customer.parties if party.kind == "phone"), None)
