"""How does a demand become a case? (A1, C7, R7, R9)"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.policy import Policy
from contracts.router import CaseOpened
from contracts.router.opening import CaseLink
from contracts.values import Contact, Customer, Demand, Evidence, History, PolicyRef, Priority
from services.router.domain.case import Case, evolve, number_of
from services.router.domain.journal import Decision, Occasion, View, stamp, tell
from services.router.domain.priority import priority
from services.router.domain.understanding import fallback_department

NOTHING = Priority(value=0, band="low")


@dataclass(frozen=True, slots=True)
class Opening:
    """A case to be: whose, from which contact, with what demand, linked to what."""

    case_id: UUID
    customer: Customer
    contact: Contact
    history: History
    demand: Demand
    links: tuple[CaseLink, ...] = ()
    agent_id: str | None = None
    """The agent to whom the customer is connected."""


def open_case(opening: Opening, occasion: Occasion, view: View) -> Decision:
    """Open the case in the queue of its department, with its priority and the agent to be asked first."""
    routing = occasion.policy.routing
    demand = _placed(opening.demand, occasion.policy)
    customer = opening.customer
    supervisor = (demand.classification.safety and routing.supervisor_when_safety) or (
        customer.at_risk and routing.supervisor_when_at_risk
    )
    fresh = Case(
        case_id=opening.case_id,
        state="queued",
        opened_at=occasion.now,
        updated_at=occasion.now,
        aged_from=occasion.now,
        queued_at=occasion.now,
        customer=customer,
        contact=opening.contact,
        text=demand.text,
        facts=demand.facts,
        classification=demand.classification,
        priority=NOTHING,
        department=demand.department,
        skills=demand.skills,
        repeat=opening.history.repeat_of_unsolved is not None,
        links=opening.links,
        supervisor_needed=supervisor,
        preferred_agent_id=opening.agent_id or _earlier_agent(opening, view),
    )
    case = evolve(fresh, priority=priority(fresh, occasion.now, routing.priority))
    return tell(
        case,
        CaseOpened(
            **stamp(case, occasion),
            record_no=number_of(case.case_id),
            customer=customer,
            contact=opening.contact,
            history=opening.history,
            demand=demand,
            priority=case.priority,
            department=case.department,
            skills=case.skills,
            links=case.links,
            preferred_agent_id=case.preferred_agent_id,
            supervisor_needed=supervisor,
            assistance_contact=routing.assistance_contact if demand.classification.safety else None,
        ),
    )


def earlier_cases(history: History, links: Sequence[CaseLink]) -> tuple[UUID, ...]:
    """Return the earlier cases whose handler the customer knows, the most telling first (A3, C6)."""
    follows = [link.case_id for link in links if link.relation == "follow_up"]
    repeat = [history.repeat_of_unsolved] if history.repeat_of_unsolved else []
    return (*follows, *repeat, *(each.case_id for each in reversed(history.open_cases)))


def _earlier_agent(opening: Opening, view: View) -> str | None:
    known = (view.handlers.get(case_id) for case_id in earlier_cases(opening.history, opening.links))
    return next((agent_id for agent_id in known if agent_id is not None), None)


def _placed(demand: Demand, policy: Policy) -> Demand:
    """Return the demand in a department of this pack; what the pack does not know falls back, with the reason."""
    if demand.department in policy.departments:
        return demand
    fallback = fallback_department(policy)
    reason = Evidence(field="department", value=fallback, rule=f"unknown department {demand.department}")
    known = demand.classification
    explained = known.model_copy(update={"evidence": (*known.evidence, reason)})
    return demand.model_copy(update={"department": fallback, "classification": explained})


def unclassified(old: Case, text: str, demand_id: UUID, policy: PolicyRef) -> Demand:
    """Return the demand of a case that continues an old one; what was understood then holds until corrected (L1)."""
    rule = f"follow-up of {number_of(old.case_id)} under {policy.name} {policy.version}"[:255]
    evidence = Evidence(field="category", value=old.classification.category, rule=rule)
    classification = old.classification.model_copy(update={"evidence": (evidence,)})
    return Demand(
        demand_id=demand_id,
        text=text,
        position=1,
        facts=old.facts,
        classification=classification,
        department=old.department,
        skills=old.skills,
    )
