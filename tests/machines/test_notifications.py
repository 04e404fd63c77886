"""Does each SMS reach the provider once and end where its receipts say, whatever calls and dispatchers do (I3, I13)?

The provider is a plain one: it knows no repeat, so that nothing but our own guards stands between it and the customer.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.notify import NotificationDelivered
from services.notify.domain.outcomes import Absent, Accepted, Outcome, Postponed, Unclear
from services.notify.handlers.dispatch import Dispatcher
from services.notify.handlers.recording import record
from services.notify.settings import NotifySettings
from services.notify.storage import leases
from services.notify.storage.leases import Lease
from tests.integration.notify.stand import AWAKE, MovedClock, Stand, standing
from tests.integration.notify.test_dispatching import case
from tests.integration.notify.test_receipts import report
from tests.machines.postgres import play, running
from tests.support.servers import fresh_database
from tests.unit.notify.story import NOW

Answer = Literal["ok", "429", "taken and timed out", "lost and timed out"]
ANSWERS = st.sampled_from(["ok", "429", "taken and timed out", "lost and timed out"])
WORKER = st.integers(0, 1)
MILESTONES = ("order_shipped", "out_for_delivery", "refund_issued")


@dataclass(slots=True)
class Provider:
    """Takes whatever it is sent, or not, and answers or not, as a step wants it."""

    answer: Answer = "ok"
    taken: dict[UUID, int] = field(default_factory=dict)

    async def send(self, delivery_id: UUID, to: str, text: str, traceparent: str | None) -> Outcome:
        assert to
        assert text
        assert traceparent
        if self.answer in ("ok", "taken and timed out"):
            self.taken[delivery_id] = self.taken.get(delivery_id, 0) + 1
        if self.answer == "429":
            return Postponed("http_429")
        return Accepted(ref(delivery_id)) if self.answer == "ok" else Unclear("timed_out")

    async def look_up(self, delivery_id: UUID) -> Outcome:
        if self.answer != "ok":
            return Unclear("timed_out")
        return Accepted(ref(delivery_id)) if delivery_id in self.taken else Absent()


def ref(delivery_id: UUID) -> str:
    return f"ref of {delivery_id}"


class DeliveryLife(RuleBasedStateMachine):
    """Two cases, two dispatchers, receipts from anywhere at any time."""

    run: Callable[[Awaitable[Any]], Any]
    stand: Stand
    clock: MovedClock

    def __init__(self) -> None:
        super().__init__()
        self.provider = Provider()
        self.hands: list[list[tuple[Lease, Outcome | None]]] = [[], []]
        self.version = 1
        self.reported: set[UUID] = set()
        self.ended: dict[UUID, str] = {}
        self.clock.at = NOW
        context = self.stand.context
        self.settings = context.settings_as(NotifySettings)
        sender: Any = self.provider
        self.dispatcher = Dispatcher(context, self.settings, sender, self.stand.queued)
        self.run(context.pool.execute("TRUNCATE cases, deliveries, early_receipts, outbox"))
        for number in range(2):
            self.a_milestone_is_reached(number, MILESTONES[0])

    @rule(number=st.integers(0, 1), milestone=st.sampled_from(MILESTONES))
    def a_milestone_is_reached(self, number: int, milestone: str) -> None:
        """It is told once in a cycle, however often somebody says so, and however often we hear it."""
        self.version += 1
        opened, reached = [message.model_copy(update={"occurred_at": self.clock.at}) for message in case(number)]
        again = reached.model_copy(update={"version": self.version, "milestone": milestone})
        for cause in ("first", "repeat"):
            self.run(self.stand.hear(opened, again, cause=cause))

    @rule(seconds=st.sampled_from([0.7, 1.1]))
    def time_passes(self, seconds: float) -> None:
        """A lease lasts one second and a call at most 0.4."""
        self.clock.at += timedelta(seconds=seconds)

    @rule(worker=WORKER, answer=ANSWERS, limit=st.integers(1, 2), killed=st.integers(0, 7))
    def a_dispatcher_goes_on(self, worker: int, answer: Answer, limit: int, killed: int) -> None:
        """It leases, calls or records, whichever comes next, if it is not killed before that."""
        hand = self.hands[worker] = self.hands[worker] if killed else []
        if not hand:
            until = self.clock.at + timedelta(seconds=self.settings.sms_lease_seconds)
            taken = self.run(leases.take(self.stand.context.pool, self.clock.at, until, limit))
            self.hands[worker] = [(lease, None) for lease in taken]
        elif any(outcome is None for _, outcome in hand):
            self.provider.answer = answer
            self.hands[worker] = [(lease, self.run(self.dispatcher._outcome(lease))) for lease, _ in hand]
        else:
            context = self.stand.context
            self.run(context.transact(partial(record, hand, self.settings, context.policy)))  # type: ignore[arg-type]  # all have an outcome
            self.hands[worker] = []

    @rule(worker=WORKER, asleep=st.sampled_from([0.0, 1.1]), steps=st.integers(1, 6), answer=ANSWERS)
    def a_dispatcher_is_paused(self, worker: int, asleep: float, steps: int, answer: Answer) -> None:
        """Perhaps until its lease is over; the other comes as far as it comes before the first goes on."""
        self.clock.at += timedelta(seconds=asleep)
        for step in range(steps):
            self.a_dispatcher_goes_on(1 - worker, answer if step == steps - 1 else "ok", 2, killed=1)
            self.clock.at += timedelta(seconds=0.1)

    @precondition(lambda self: self.provider.taken)
    @rule(back=st.integers(0, 2), by_us=st.booleans(), times=st.integers(1, 2))
    def a_receipt_comes(self, back: int, by_us: bool, times: int) -> None:
        """Perhaps before anybody has recorded the call, perhaps twice; mostly of what was taken last."""
        delivery_id = list(self.provider.taken)[-min(back + 1, len(self.provider.taken))]
        for _ in range(times):
            self.receipt(delivery_id, by_us)

    def receipt(self, delivery_id: UUID, by_us: bool) -> None:
        self.reported.add(delivery_id)
        named = {"delivery_id": delivery_id} if by_us else {}
        self.run(self.stand.hear(report("delivered", provider_ref=ref(delivery_id), **named)))

    def states(self) -> dict[UUID, str]:
        rows = self.run(self.stand.context.pool.fetch("SELECT delivery_id, state FROM deliveries"))
        return {row["delivery_id"]: row["state"] for row in rows}

    @invariant()
    def the_customer_gets_it_once(self) -> None:
        assert all(count == 1 for count in self.provider.taken.values())

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        states = self.states()
        assert {each: state for each, state in self.ended.items() if states[each] != state} == {}
        self.ended |= {each: state for each, state in states.items() if state == "delivered"}
        assert not {each for each, state in states.items() if state in ("sent", "delivered")} - set(self.provider.taken)

    def teardown(self) -> None:
        """Everything heals: what is open is sent or found, and each has had its receipt."""
        self.hands = [[], []]
        for _ in range(20):
            self.clock.at += timedelta(seconds=60)
            for _ in range(3):
                self.a_dispatcher_goes_on(0, "ok", 9, killed=1)
        for delivery_id in set(self.provider.taken) - self.reported:
            self.receipt(delivery_id, by_us=False)
        self.the_customer_gets_it_once()
        states, said = self.states(), self.run(self.stand.said())
        assert {each for each, state in states.items() if state == "delivered"} == set(self.provider.taken)
        assert set(states.values()) <= {"delivered", "failed"}
        told = [message.delivery_id for message in said if isinstance(message, NotificationDelivered)]
        assert sorted(told) == sorted(self.provider.taken)
        assert len(set(map(repr, said))) == len(said)


@asynccontextmanager
async def a_stand(postgres_dsn: str) -> AsyncIterator[tuple[Stand, MovedClock]]:
    clock = MovedClock(NOW)
    async with fresh_database(postgres_dsn) as dsn, standing(dsn, policy=AWAKE, clock=clock) as stand:
        yield stand, clock


def test_every_message_is_sent_once_and_ends_as_its_receipts_say(postgres_dsn: str) -> None:
    with running(a_stand(postgres_dsn)) as (runner, (stand, clock)):
        play(DeliveryLife, runner, stand=stand, clock=clock)
