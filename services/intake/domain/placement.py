"""Which case does a message belong to: an open one, a new one, one that follows a closed one (R7, R8, L1)?

A message on a known conversation is appended to its open case. It becomes a case of its own only when the customer set
it apart ("besides", "second"), when it is one of several demands, or when it is another matter after a long silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.policy.classification import Threading
from services.intake.domain.demands import SEVERITY_RANK, Understanding, Wish
from services.intake.domain.state import KnownCase

UNSPECIFIC = frozenset({"other"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a message."""

    conversation: Sequence[KnownCase]
    """Cases of the conversation, oldest first."""
    customer: Sequence[KnownCase]
    """Cases of the customer, oldest first."""
    token: KnownCase | None
    """The case whose number stands in the message."""
    continuing: bool
    """The conversation was not silent for long before this message."""
    order_no: str | None
    now: datetime
    waiting: KnownCase | None = None
    """The case for which the customer was asked something that these words may answer from another conversation."""
    only: KnownCase | None = None
    """The customer's only live case, of whatever conversation: words that name no need are an addition to it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One demand and where it goes; ``case_id`` is ``None`` for a case that is yet to be opened."""

    wish: Wish
    relation: Literal["opens", "joins", "follows_up"]
    case_id: UUID | None = None
    follows: UUID | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a message goes."""

    demands: tuple[Placed, ...] = ()
    joins: tuple[UUID, ...] = ()
    """Cases to which the words are only an addition."""


def place(understanding: Understanding, around: Surroundings, policy: Threading) -> Placement:
    """Return where a customer's message goes."""
    if not understanding.demands:
        return Placement(joins=_addition(understanding, around, policy))
    demands: list[Placed] = []
    joins: list[UUID] = []
    for position, wish in enumerate(understanding.demands):
        taken = {*joins, *(placed.case_id for placed in demands)}
        target = _target(wish, around, policy, first=position == 0)
        if target is None or target.case_id in taken:
            demands.append(_opening(wish, around, policy))
        elif _changes(wish, target):
            demands.append(Placed(wish, "joins", target.case_id))
        else:
            joins.append(target.case_id)
    return Placement(tuple(demands), tuple(joins))


def agents_words(cases: Sequence[KnownCase], now: datetime, policy: Threading) -> tuple[UUID, ...]:
    """Return the cases to which an agent's message belongs: those being worked on."""
    return tuple(case.case_id for case in cases if case.is_live(now, policy) and case.state != "solved")


def _addition(understanding: Understanding, around: Surroundings, policy: Threading) -> tuple[UUID, ...]:
    """Return where words without a need of their own go; thanks alone reopen nothing."""
    if around.token and _takes_words(around.token, around, policy):
        return (around.token.case_id,)
    live = [case for case in around.conversation if case.is_live(around.now, policy)]
    working = tuple(case.case_id for case in live if case.state != "solved")
    if working or understanding.courtesy_only or understanding.stopped:
        return working
    if around.waiting:
        return (around.waiting.case_id,)
    elsewhere = (around.only,) if around.only else ()
    return tuple(case.case_id for case in live or elsewhere)


def _target(wish: Wish, around: Surroundings, policy: Threading, *, first: bool) -> KnownCase | None:
    """Return the known case this demand belongs to."""
    if around.token and first and _takes_words(around.token, around, policy):
        return around.token
    live = [case for case in around.conversation if case.is_live(around.now, policy)]
    same = [case for case in live if case.category == wish.classification.category]
    if same:
        return same[-1]
    working = [case for case in live if case.state != "solved"]
    if working and first and not wish.marked and _goes_on(wish, working[0], around):
        return working[0]
    if around.waiting and first and not working and wish.classification.category in UNSPECIFIC:
        return around.waiting
    return _of_customer(wish, around, policy) or (_closed_here(wish, around, policy) if first and not live else None)


def _goes_on(wish: Wish, case: KnownCase, around: Surroundings) -> bool:
    return around.continuing or wish.classification.category in UNSPECIFIC or case.category in UNSPECIFIC


def _of_customer(wish: Wish, around: Surroundings, policy: Threading) -> KnownCase | None:
    """Return the customer's open case on the same subject: category, and order number where both name one."""
    category = wish.classification.category
    if category in UNSPECIFIC:
        return None
    for case in reversed(around.customer):
        other_order = around.order_no and case.order_no and around.order_no != case.order_no
        if (
            case.category == category
            and case.is_live(around.now, policy)
            and case.state != "solved"
            and not other_order
        ):
            return case
    return None


def _closed_here(wish: Wish, around: Surroundings, policy: Threading) -> KnownCase | None:
    """Return the conversation's last closed case while a reply still reopens it (L1)."""
    last = around.conversation[-1] if around.conversation else None
    if last is None or not last.is_reopenable(around.now, policy):
        return None
    return last if _same_matter(wish, last) else None


def _same_matter(wish: Wish, case: KnownCase) -> bool:
    category = wish.classification.category
    return category == case.category or category in UNSPECIFIC or case.category in UNSPECIFIC


def _opening(wish: Wish, around: Surroundings, policy: Threading) -> Placed:
    """Return a new case; it follows the closed one of the conversation, or of the token, when it is the same matter."""
    before = [case for case in (around.token, *reversed(around.conversation)) if case and case.state == "closed"]
    follows = next(
        (case for case in before if _same_matter(wish, case) and not case.is_reopenable(around.now, policy)), None
    )
    return Placed(wish, "follows_up", follows=follows.case_id) if follows else Placed(wish, "opens")


def _takes_words(case: KnownCase, around: Surroundings, policy: Threading) -> bool:
    return case.is_live(around.now, policy) or case.is_reopenable(around.now, policy)


def _changes(wish: Wish, case: KnownCase) -> bool:
    """Tell whether the words make the known case another: graver, dangerous, or at last specific."""
    judged = wish.classification
    graver = SEVERITY_RANK[judged.severity] < SEVERITY_RANK[case.severity] or (judged.safety and not case.safety)
    return graver or (case.category in UNSPECIFIC and judged.category not in UNSPECIFIC)
