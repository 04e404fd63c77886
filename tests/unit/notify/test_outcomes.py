"""Does a delivery only move forward, and is nothing sent again without proof?"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.message import derived_id
from services.notify.domain.delivery import State
from services.notify.domain.outcomes import (
    Absent,
    Accepted,
    Attempt,
    Limits,
    Outcome,
    Postponed,
    Refused,
    Step,
    Unclear,
    Untouched,
    after,
    reported,
)
from tests.unit.notify.story import NOW

LIMITS = Limits()
FIRST = Attempt(derived_id("delivery"), "queued", attempts=1, sends=1, expires_at=NOW + timedelta(days=1))
LOOKED_UP = Attempt(FIRST.delivery_id, "unknown", attempts=3, sends=1, expires_at=FIRST.expires_at)
DIED = Attempt(FIRST.delivery_id, "sending", attempts=2, sends=1, expires_at=FIRST.expires_at)
"""Whoever called did not live to say what came of it; this is the first look-up."""
DIED_AGAIN = Attempt(FIRST.delivery_id, "sending", attempts=3, sends=1, expires_at=FIRST.expires_at)
"""A look-up died as well."""
STATUSES = ("accepted", "sent", "failed", "undelivered", "delivered", "read")


@pytest.mark.parametrize(
    ("attempt", "outcome", "state", "news"),
    [
        (FIRST, Accepted("ref"), "sent", "sent"),
        (FIRST, Refused("http_400"), "failed", "failed"),
        (FIRST, Postponed("http_429"), "queued", "deferred"),
        (FIRST, Unclear("ReadTimeout"), "unknown", "unknown"),
        (FIRST, Untouched(), "queued", None),
        (LOOKED_UP, Accepted("ref"), "sent", "sent"),
        (LOOKED_UP, Absent(), "queued", None),
        (LOOKED_UP, Unclear("lookup_http_500"), "unknown", None),
        (DIED, Unclear("lookup_http_500"), "unknown", "unknown"),
        (DIED_AGAIN, Unclear("lookup_http_500"), "unknown", None),
    ],
)
def test_what_an_outcome_means(attempt: Attempt, outcome: Outcome, state: str, news: str | None) -> None:
    step = after(attempt, outcome, NOW, LIMITS)
    assert (step.state, step.news) == (state, news)


def test_an_unclear_outcome_is_never_queued_again_without_a_look_up() -> None:
    for attempts in range(1, 40):
        step = after(Attempt(FIRST.delivery_id, "unknown", attempts, 1, FIRST.expires_at), Unclear("?"), NOW, LIMITS)
        assert step.state == "unknown"
        assert step.due_at is not None
        assert step.due_at - NOW <= timedelta(seconds=LIMITS.retry_seconds_max)


def test_a_look_up_that_never_answers_ends_in_the_open() -> None:
    late = FIRST.expires_at + timedelta(days=1)
    assert after(LOOKED_UP, Unclear("?"), late, LIMITS) == Step("unknown", due_at=None, reason="?")


def test_the_provider_is_not_asked_sooner_than_it_said_nor_for_ever() -> None:
    step = after(FIRST, Postponed("http_429", 120.0), NOW, LIMITS)
    assert step.due_at is not None
    assert step.due_at >= NOW + timedelta(seconds=120)
    last = Attempt(FIRST.delivery_id, "queued", attempts=8, sends=8, expires_at=FIRST.expires_at)
    assert after(last, Postponed("http_429"), NOW, LIMITS).state == "failed"
    expiring = Attempt(FIRST.delivery_id, "queued", attempts=1, sends=1, expires_at=NOW + timedelta(seconds=60))
    assert after(expiring, Postponed("http_429", 120.0), NOW, LIMITS).state == "failed"


def test_pauses_double_and_are_scattered() -> None:
    def pauses(delivery: str) -> list[float]:
        steps = [
            after(Attempt(derived_id(delivery), "queued", n, n, FIRST.expires_at), Postponed("x"), NOW, LIMITS)
            for n in range(1, 8)
        ]
        return [(step.due_at - NOW).total_seconds() for step in steps if step.due_at]

    one, other = pauses("one"), pauses("other")
    assert one != other
    for n, pause in enumerate(one):
        assert 0.5 * 2**n <= pause <= 1.5 * 2**n


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_receipts_in_any_order_and_number_say_each_thing_once(statuses: list[str]) -> None:
    state: State = "sent"
    said: list[str] = []
    for status in statuses:
        state, news = reported(state, status)
        said += news
    assert len(said) == len(set(said))
    assert (state == "delivered") == bool({"delivered", "read"} & set(statuses))


def test_a_receipt_before_the_record_says_that_it_was_sent_too() -> None:
    assert reported("sending", "delivered") == ("delivered", ("sent", "delivered"))
    assert reported("unknown", "accepted") == ("sent", ("sent",))
    assert reported("dropped", "delivered") == ("dropped", ())
