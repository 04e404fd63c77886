"""How does a demand become a proposed case, with the keys that decide races (R7, R8)?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.case_number import case_number
from contracts.intake import ProposedDemand
from contracts.message import derived_id
from contracts.policy.pack import Vocabulary
from contracts.values import TEXT_MAX, Classification, Demand
from services.intake.domain.people import count_case
from services.intake.domain.placement import Placed
from services.intake.domain.state import Book, Conversation, KnownCase

SLOTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Proposal:
    """For whom, where and from which message cases are proposed."""

    book: Book
    vocabulary: Vocabulary
    conversation: Conversation
    customer: UUID
    message_id: UUID
    facts: Mapping[str, str]
    now: datetime


def proposed(proposal: Proposal, demands: Sequence[Placed]) -> tuple[ProposedDemand, ...]:
    """Return the demands as messages carry them, and remember the cases they open."""
    return tuple(_proposed(proposal, position, placed) for position, placed in enumerate(demands, start=1))


def department_of(vocabulary: Vocabulary, judged: Classification) -> str:
    """Return who answers for it: some scenarios have one department whatever the category (A1)."""
    by_scenario = vocabulary.scenario_departments.get(judged.scenario)
    return by_scenario or vocabulary.categories.get(judged.category) or next(iter(vocabulary.categories.values()))


def _proposed(proposal: Proposal, position: int, placed: Placed) -> ProposedDemand:
    demand_id = derived_id(proposal.message_id, position)
    judged = placed.wish.classification
    demand = Demand(
        demand_id=demand_id,
        text=placed.wish.text[:TEXT_MAX],
        position=position,
        facts=dict(proposal.facts),
        classification=judged,
        department=department_of(proposal.vocabulary, judged),
    )
    if placed.case_id is not None:
        return ProposedDemand(demand=demand, case_id=placed.case_id, relation=placed.relation)
    case_id = derived_id("case", demand_id)
    _remember(proposal, case_id, judged)
    return ProposedDemand(demand=demand, case_id=case_id, relation=placed.relation, follows=placed.follows)


def _remember(proposal: Proposal, case_id: UUID, judged: Classification) -> None:
    book, conversation = proposal.book, proposal.conversation
    taken = any(known.primary_of for known in book.conversation_cases(conversation.conversation_id))
    book.add_case(
        KnownCase(
            case_id=case_id,
            case_number=case_number(case_id),
            customer_id=proposal.customer,
            conversation_id=conversation.conversation_id,
            category=judged.category,
            scenario=judged.scenario,
            severity=judged.severity,
            safety=judged.safety,
            opened_at=proposal.now,
            order_no=proposal.facts.get("order_no"),
            primary_of=None if taken else conversation.conversation_id,
            subject_slot=_slot(book, proposal.customer, judged.category),
        ),
    )
    count_case(book, proposal.customer, complaint=judged.scenario == "complaint")


def _slot(book: Book, customer: UUID, category: str) -> str | None:
    """Return the first free place of this customer and subject; of two rivals with the same one must look again."""
    used = {case.subject_slot for case in book.customer_cases(customer)}
    slots = (f"{customer}|{category}|{number}" for number in range(SLOTS_MAX))
    return next((slot for slot in slots if slot not in used), None)
