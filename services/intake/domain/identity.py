"""Who is speaking: which customer do these identifiers belong to, and are two known customers one (R4)?"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import phonenumbers

from contracts.message import derived_id
from contracts.policy.classification import Identity
from contracts.values import Party
from services.intake.domain.normalization import storable
from services.intake.domain.state import Book, Identifier, Merge, Person

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")


def identifiers_of(parties: Iterable[Party], policy: Identity) -> tuple[Identifier, ...]:
    """Return the identifiers in their one spelling, strongest kind first; empty ones are left out."""
    known = dict.fromkeys(
        (party.kind, value) for party in parties if (value := normal_value(party.kind, party.value, policy.region))
    )
    return tuple(sorted(known, key=lambda identifier: _strength(identifier, policy)))


@lru_cache(maxsize=4096)
def normal_value(kind: str, value: str, region: str) -> str:
    """Return the one spelling: phones in E.164, e-mail addresses in small letters, order numbers in capitals."""
    clean = storable(value).strip()
    if kind == "phone":
        return _phone(clean, region)
    if kind == "email":
        return clean.lower()
    return clean.upper() if kind == "order" else clean


def resolve(
    book: Book,
    found: Sequence[Identifier],
    current: UUID | None,
    cause: UUID,
    now: datetime,
    policy: Identity,
) -> UUID:
    """Return the customer who goes by these identifiers, merging known customers that turn out to be one.

    ``current`` is the customer of the conversation so far. Nobody known: a new customer, also without any identifier,
    for refusing to be identified never blocks (R4).
    """
    known = list(dict.fromkeys(book.root_of(book.identifiers[item]) for item in found if item in book.identifiers))
    if current is not None and current not in known:
        known.append(current)
    if known:
        customer = _one_of(book, known, cause, policy)
    else:
        customer = derived_id("customer", cause)
        book.add_person(Person(customer_id=customer, root=customer, created_at=now))
    for item in found:
        if item not in book.identifiers and len(book.identifiers_of.get(customer, ())) < policy.parties_max:
            book.add_identifier(item, customer)
    return customer


def parties_of(book: Book, customer: UUID, policy: Identity) -> tuple[Party, ...]:
    """Return what a customer is known by, strongest first."""
    known = sorted(book.identifiers_of.get(customer, ()), key=lambda item: _strength(item, policy))
    return tuple(Party.model_validate({"kind": kind, "value": value}) for kind, value in known[: policy.parties_max])


def is_anonymous(book: Book, customer: UUID) -> bool:
    """Tell whether nothing is known by which the customer could be found again."""
    return not book.identifiers_of.get(customer)


def _one_of(book: Book, known: Sequence[UUID], cause: UUID, policy: Identity) -> UUID:
    """Return the person that all these are, or the strongest when the identifiers contradict each other."""
    customer = known[0]
    for other in known[1:]:
        if not _contradict(book, customer, other, policy):
            customer = _merge(book, customer, other, cause)
    return customer


def _contradict(book: Book, one: UUID, other: UUID, policy: Identity) -> bool:
    def values(customer: UUID, kind: str) -> set[str]:
        return {value for named, value in book.identifiers_of.get(customer, ()) if named == kind}

    return any(
        values(one, kind) and values(other, kind) and values(one, kind) != values(other, kind) for kind in policy.single
    )


def _merge(book: Book, one: UUID, other: UUID, cause: UUID) -> UUID:
    """Let the younger go by the older; the identifiers and cases of both keep their own customer."""
    survivor, merged = sorted((one, other), key=lambda customer: _seniority(book, customer))
    moved = tuple(sorted(book.families.pop(merged, {merged})))
    for customer in moved:
        book.add_person(replace(book.people[customer], root=survivor))
    book.identifiers_of.setdefault(survivor, []).extend(book.identifiers_of.pop(merged, ()))
    book.people[survivor] = _completed(book.people[survivor], book.people[merged])
    book.merges.append(Merge(derived_id("merge", survivor, merged, cause), survivor, merged, moved, str(cause)))
    return survivor


def _seniority(book: Book, customer: UUID) -> tuple[bool, datetime, UUID]:
    """Known before anonymous, then the older; the id decides between equals, so that every run agrees."""
    return is_anonymous(book, customer), book.people[customer].created_at, customer


def _completed(survivor: Person, merged: Person) -> Person:
    return replace(
        survivor,
        name=survivor.name or merged.name,
        language=survivor.language or merged.language,
        time_zone=survivor.time_zone or merged.time_zone,
    )


def _strength(identifier: Identifier, policy: Identity) -> tuple[int, Identifier]:
    order: tuple[str, ...] = policy.strength
    return (order.index(identifier[0]) if identifier[0] in order else len(order)), identifier


def _phone(value: str, region: str) -> str:
    compact = re.sub(r"[\s().-]", "", value)
    if _E164.fullmatch(compact):
        return compact
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return compact
    if not phonenumbers.is_possible_number(number):
        return compact
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
