"""What follows from a customer's words for the contact: a greeting, a choice to offer, a number for the answer?"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.intake import ProposedDemand
from contracts.policy.classification import Threading
from contracts.values import Cause, Channel, Contact, Customer, PolicyRef
from services.intake.domain.answers import NONE, Answer
from services.intake.domain.conversations import Entry
from services.intake.domain.demands import Understanding
from services.intake.domain.incoming import Incoming, Words
from services.intake.domain.placement import Placement
from services.intake.domain.scope import channel_of, family_of
from services.intake.domain.state import Book, KnownCase


class Common(TypedDict):
    """What every contact message carries."""

    contact: Contact
    customer: Customer
    occurred_at: datetime
    policy: PolicyRef
    cause: Cause


@dataclass(frozen=True, slots=True)
class Heard:
    """A customer's words with where they go."""

    placement: Placement
    answer: Answer
    understanding: Understanding


def to_greet(entry: Entry, words: Words) -> bool:
    """Tell whether a live text channel must be greeted with its first message: nobody announced it (R2)."""
    return words.author == "customer" and entry.contact.channel in {"chat", "social"} and not entry.known


def asks_for_choice(book: Book, item: Incoming, heard: Heard) -> bool:
    """No need is stated, nothing is open, and the customer was not asked in this contact before (R3)."""
    if heard.answer is not NONE or heard.placement.demands or heard.placement.joins or heard.understanding.stopped:
        return False
    ended_here = book.conversation_cases(item.conversation_id)
    if heard.understanding.courtesy_only and ended_here:
        return False
    return book.conversations[item.conversation_id].prompted_at is None


def case_of_token(book: Book, token: str | None) -> KnownCase | None:
    """Return the case whose number stands in a message; a merged one stands for the case in which it goes on (R8)."""
    named = next((case for case in book.cases.values() if case.case_number == token), None) if token else None
    return book.survivor(named) if named else None


def asked_elsewhere(book: Book, channel: Channel, customer: UUID) -> KnownCase | None:
    """Return the case that waits for this customer's answer: who called is asked by SMS and answers there (R6, R8)."""
    if channel != "sms":
        return None
    cases = book.customer_cases(customer)
    return next((case for case in reversed(cases) if case.state == "waiting_customer"), None)


def only_case(book: Book, channel: Channel, customer: UUID, now: datetime, policy: Threading) -> KnownCase | None:
    """Return the customer's only live case, if by this kind of channel: "E42" can be about nothing else (R8)."""
    live = [case for case in book.customer_cases(customer) if case.is_live(now, policy)]
    if len(live) != 1 or family_of(channel_of(live[0].conversation_id)) != family_of(channel):
        return None
    return live[0]


def with_token(
    book: Book,
    contact: Contact,
    demands: tuple[ProposedDemand, ...],
    joins: tuple[UUID, ...],
) -> Contact:
    """Return the contact with the number that answers must carry: that of the first case (R8)."""
    first = next((demand.case_id for demand in demands), next(iter(joins), None))
    case = book.cases.get(first) if first else None
    return contact.model_copy(update={"reply_token": case.case_number}) if case else contact
