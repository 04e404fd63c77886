"""Why is a case classified, ranked and assigned as it is?"""

from collections.abc import Iterable
from typing import Any

from contracts import router
from services.desk.domain.board import JournalEvent


def reasons(events: Iterable[JournalEvent]) -> dict[str, Any]:
    """Return the evidence of the classification, the summands of the priority, every choice of agent (C1, C7, A3)."""
    found: dict[str, Any] = {"classification": [], "priority": [], "assignment": []}
    for event in events:
        at = {"version": event.version, "occurred_at": event.occurred_at}
        match event:
            case router.CaseOpened():
                classification = event.demand.classification
                found["classification"].append({**at, "department": event.department, **_plain(classification)})
            case router.CaseReclassified():
                found["classification"].append({**at, "reason": event.reason, **_plain(event.classification)})
            case router.CaseOffered() | router.CaseAssigned():
                found["assignment"].append(_choice(event, at))
            case router.CaseOfferEnded():
                found["assignment"].append(
                    {**at, "agent_id": event.agent_id, "step": event.outcome, "reason": event.reason}
                )
            case _:
                pass
        if isinstance(event, router.CaseOpened | router.CaseReclassified | router.CaseReprioritised | _RAISED):
            found["priority"].append({**at, "because": event.type, **_plain(event.priority)})
    return found


_RAISED = router.CaseEscalated | router.ClockBreached


def _choice(event: router.CaseOffered | router.CaseAssigned, at: dict[str, Any]) -> dict[str, Any]:
    step = "offered" if isinstance(event, router.CaseOffered) else "assigned"
    decision = _plain(event.decision) if event.decision else None
    return {**at, "agent_id": event.agent_id, "step": step, "decision": decision}


def _plain(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of the contracts
    plain: dict[str, Any] = value.model_dump(mode="json", exclude_none=True)
    return plain
