"""How does intake present a customer, and what the customer had before (R4, C6)?"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from contracts.policy.classification import Identity, Threading
from contracts.values import Customer, History, OpenCaseRef
from services.intake.domain.identity import parties_of
from services.intake.domain.state import Book, Past

OPEN_CASES_MAX = 20
SOLVED_FOR_GOOD = frozenset({"confirmed", "by_hand", "merged", "spam"})
"""Outcomes after which a new case of the same kind is no repeat of an unsolved one."""


def note(book: Book, customer: UUID, *, name: str | None, language: str, time_zone: str | None = None) -> None:
    """Remember what became known about a customer; a name once known stays."""
    person = book.people[customer]
    known = replace(
        person,
        name=person.name or name or None,
        language=language,
        time_zone=time_zone or person.time_zone,
    )
    if known != person:
        book.people[customer] = known


def customer_of(book: Book, customer: UUID, policy: Identity, language: str, complaints_now: int = 0) -> Customer:
    """Return the customer as messages carry it; repeated complaints within the window mean ``at_risk`` (C6)."""
    person = book.people[customer]
    complaints = book.past_of(customer).complaints + complaints_now
    return Customer(
        customer_id=customer,
        name=person.name,
        parties=parties_of(book, customer, policy),
        tier=person.tier,
        at_risk=person.churn_flag or complaints >= policy.at_risk_complaints,
        language=language,
        time_zone=person.time_zone,
    )


def history_of(
    book: Book,
    customer: UUID,
    categories: frozenset[str],
    now: datetime,
    identity: Identity,
    threading: Threading,
) -> History:
    """Return what the customer had before; ``categories`` are those of the new demands (R4)."""
    cases = book.customer_cases(customer)
    live = [case for case in cases if case.is_live(now, threading)]
    since = now - timedelta(seconds=identity.repeat_window_seconds)
    unsolved = [
        case
        for case in cases
        if case.category in categories and case.opened_at > since and case.outcome not in SOLVED_FOR_GOOD
    ]
    return History(
        earlier_cases=max(book.past_of(customer).cases, len(cases)),
        open_cases=tuple(
            OpenCaseRef(case_id=case.case_id, state=case.state, category=case.category)
            for case in live[-OPEN_CASES_MAX:]
        ),
        repeat_of_unsolved=unsolved[-1].case_id if unsolved else None,
    )


def count_case(book: Book, customer: UUID, *, complaint: bool) -> None:
    """Count a case that is being opened."""
    past = book.past.get(customer, Past())
    book.past[customer] = Past(past.cases + 1, past.complaints + complaint)
