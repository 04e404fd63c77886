"""Does the customer get a message once, and do we know it, whatever two dispatchers, the network and receipts do?

One intention that is heard twice, one message, one receipt that comes twice and says where it belongs by our id or by
the provider's reference. Two things may fail: one call (429, or a time-out that was or was not accepted) and one
process (killed, or paused until its lease runs out). What an outcome or a receipt means is decided by production
itself (``outcomes.after``, ``outcomes.reported``); statements and the provider are modelled.

Two kinds of provider are explored, because each protection matters for one of them: a **careful** one recognises a
repeated ``client_reference``, so that even a call that arrives long after its time-out does no harm; a **plain** one
does not, so there all depends on nobody calling twice.

==================  ==================================================================================================
hears               ``deliveries.INSERT``
takes               ``leases.TAKE``
calls, looks up     ``Dispatcher._outcome``, ``HttpSender.send`` and ``look_up``
records             ``leases.RECORD`` with ``outcomes.after``, then ``receipts.catch_up``
a receipt           ``receipts.receive``: ``receipts.FIND``, ``outcomes.reported``, ``receipts.MOVE`` or ``KEEP_EARLY``
==================  ==================================================================================================
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from contracts.message import derived_id
from services.notify.domain import outcomes
from services.notify.domain.delivery import State
from services.notify.domain.outcomes import Absent, Accepted, Attempt, Outcome, Postponed, Unclear, Untouched
from services.notify.handlers import receipts as receiving
from services.notify.handlers.dispatch import Dispatcher
from services.notify.senders.http import HttpSender
from services.notify.storage import deliveries, leases, receipts
from tests.model.explorer import Guard, Steps

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LIMITS = outcomes.Limits()
ID = derived_id("delivery")
REF = "the provider's reference"
DELIVERED = "delivered"

ONE_ROW = Guard("the delivery id is the key", deliveries.INSERT, "ON CONFLICT (delivery_id) DO NOTHING", "the customer")
IDEMPOTENT = Guard("idempotency key", HttpSender.send, '"client_reference": str(delivery_id)', "the customer got it")
LOOKED_UP = Guard(
    "an unknown outcome is looked up", leases.TAKE, "CASE due.state WHEN 'queued' THEN 'sending' ELSE 'unknown' END",
    "the customer got it",
)  # fmt: skip
LEASED = Guard("lease", leases.TAKE, "due_at <= $1", "the customer got it")
FITTING = Guard(
    "no call outlives its lease", Dispatcher._in_time, "self._longest_call <= lease.lease_until", "the customer got it"
)
FENCED = Guard("who lost the lease writes nothing", leases.RECORD, "USING (delivery_id, attempts)", "the customer got")
QUICKER = Guard(
    "a receipt may be quicker than the record",
    leases.RECORD,
    "deliveries.state IN ('sending', 'unknown')",
    "taken back",
)
EARLY = Guard("receipts of unknown references are kept", receiving.catch_up, "receipts.take_early", "it ends as sent")
FORWARD = Guard("a state only moves forward", outcomes.reported, "_RANK[new] <= _RANK[state]", "told twice")
RENDEZVOUS = Guard(
    "keeping a receipt waits for a recording under way",
    receipts.AWAIT_RECORDINGS,
    "pg_advisory_xact_lock",
    "it ends as",
)
GUARDS = (ONE_ROW, IDEMPOTENT, LOOKED_UP, LEASED, FITTING, FENCED, QUICKER, EARLY, RENDEZVOUS, FORWARD)
Provider = Literal["careful", "plain"]
CALLS: dict[str, tuple[Outcome, bool]] = {
    "is answered 429": (Postponed("http_429"), False),
    "is taken and times out": (Unclear("timed_out"), True),
    "is lost and times out": (Unclear("timed_out"), False),
}
"""How a call may go wrong: its outcome, and whether the provider has taken it."""


class Row(NamedTuple):
    """A delivery."""

    state: State = "queued"
    attempts: int = 0
    sends: int = 0
    held: bool = False
    """Its lease is in force."""
    ref: bool = False


class Hand(NamedTuple):
    """What a dispatcher has leased, and what became of it."""

    row: int
    attempt: Attempt
    lapsed: bool = False
    outcome: Outcome | None = None


class World(NamedTuple):
    """PostgreSQL, the provider, the network, and two dispatchers."""

    intentions: int = 2
    rows: tuple[Row, ...] = ()
    hands: tuple[Hand | None, ...] = (None, None)
    taken: int = 0
    """How many messages the provider has accepted: each is one on the customer's telephone."""
    late: int = 0
    """Calls that we gave up and that may still arrive."""
    receipts: int = 2
    looked: int = 0
    """Receipts that have found no delivery with their reference and are not kept yet."""
    kept: bool = False
    told: int = 0
    """How often it was said that the message was delivered."""
    bad_calls: int = 1
    bad_processes: int = 1

    def with_hand(self, number: int, hand: Hand | None, **changes: object) -> "World":
        """Return the world with this dispatcher changed."""
        hands = tuple(hand if place == number else other for place, other in enumerate(self.hands))
        return self._replace(hands=hands, **changes)  # type: ignore[arg-type]  # fields of a world

    def with_row(self, place: int, row: Row) -> "World":
        """Return the world with this delivery changed."""
        return self._replace(rows=(*self.rows[:place], row, *self.rows[place + 1 :]))


class Deliveries:
    """send -> unknown -> look-up."""

    def __init__(self, without: Guard | None = None, provider: Provider | None = None) -> None:
        self.without = without
        self.careful = provider == "careful" if provider else without in (None, IDEMPOTENT)

    def initial(self) -> World:
        return World()

    def steps(self, state: World) -> Steps[World]:
        if state.intentions:
            known = bool(state.rows) and self.without is not ONE_ROW
            rows = state.rows if known else (*state.rows, Row())
            yield "notify hears the intention", state._replace(intentions=state.intentions - 1, rows=rows)
        if state.late:
            yield "a late call arrives", self._taken(state._replace(late=state.late - 1))
        yield from self._receipts(state)
        for place, row in enumerate(state.rows):
            yield from self._free(state, place, row)
        for number, hand in enumerate(state.hands):
            if hand is not None:
                yield from self._go_on(state, number, hand)

    def faults(self, state: World) -> Steps[World]:
        for number, hand in enumerate(state.hands):
            if hand is None:
                continue
            if state.bad_processes:
                yield f"dispatcher {number} is killed", state.with_hand(number, None, bad_processes=0)
                row = state.rows[hand.row]
                paused = state.with_hand(number, hand._replace(lapsed=True), bad_processes=0)
                if row.held and not hand.lapsed:
                    yield (
                        f"dispatcher {number} is paused until its lease runs out",
                        paused.with_row(hand.row, row._replace(held=False)),
                    )
            if state.bad_calls and hand.outcome is None and hand.attempt.was == "queued" and not hand.lapsed:
                yield from self._bad_call(state._replace(bad_calls=0), number, hand)

    def _free(self, state: World, place: int, row: Row) -> Steps[World]:
        """Lease what is due."""
        in_hand = any(hand is not None and hand.row == place and not hand.lapsed for hand in state.hands)
        if row.held and not in_hand:
            yield "the lease of the dead runs out", state.with_row(place, row._replace(held=False))
        if row.state not in ("queued", "sending", "unknown") or (row.held and self.without is not LEASED):
            return
        was: State = "queued" if self.without is LOOKED_UP else row.state
        sends = row.sends + (was == "queued")
        taken = Row("sending" if was == "queued" else "unknown", row.attempts + 1, sends, held=True, ref=row.ref)
        for number, hand in enumerate(state.hands):
            if hand is None:
                attempt = Attempt(ID, was, taken.attempts, sends, NOW + timedelta(days=1))
                label = f"dispatcher {number} takes the {row.state} delivery"
                yield label, state.with_hand(number, Hand(place, attempt)).with_row(place, taken)

    def _go_on(self, state: World, number: int, hand: Hand) -> Steps[World]:
        if hand.outcome is not None:
            yield self._recorded(state, number, hand)
        elif hand.lapsed and self.without is not FITTING:
            untouched = hand._replace(outcome=Untouched())
            yield f"dispatcher {number} does not call: its lease is over", state.with_hand(number, untouched)
        elif hand.attempt.was == "queued":
            accepted = hand._replace(outcome=Accepted(REF))
            yield f"dispatcher {number} calls and is answered", self._taken(state).with_hand(number, accepted)
        else:
            found: Outcome = Accepted(REF) if state.taken else Absent()
            label = f"dispatcher {number} looks it up: {type(found).__name__.lower()}"
            yield label, state.with_hand(number, hand._replace(outcome=found))

    def _bad_call(self, state: World, number: int, hand: Hand) -> Steps[World]:
        for words, (outcome, taken) in CALLS.items():
            after = self._taken(state) if taken else state
            yield f"the call of dispatcher {number} {words}", after.with_hand(number, hand._replace(outcome=outcome))
        if self.careful:
            unclear = hand._replace(outcome=Unclear("timed_out"))
            label = f"the call of dispatcher {number} times out and is still on its way"
            yield label, state.with_hand(number, unclear, late=state.late + 1)

    def _taken(self, state: World) -> World:
        """Let the provider take a call."""
        repeat = state.taken and self.careful and self.without is not IDEMPOTENT
        return state if repeat else state._replace(taken=state.taken + 1)

    def _recorded(self, state: World, number: int, hand: Hand) -> tuple[str, World]:
        row, free = state.rows[hand.row], state.with_hand(number, None)
        mine = row.attempts == hand.attempt.attempts or self.without is FENCED
        if not mine or (row.state not in ("sending", "unknown") and self.without is not QUICKER):
            return f"dispatcher {number} records nothing: it is another's, or over", free
        assert hand.outcome is not None
        step = outcomes.after(hand.attempt, hand.outcome, NOW, LIMITS)
        ref = row.ref or step.provider_ref is not None
        after = free.with_row(hand.row, row._replace(state=step.state, held=False, ref=ref))
        if step.provider_ref is not None and state.kept and self.without is not EARLY:
            after = self._reported(after._replace(kept=False), hand.row)
        return f"dispatcher {number} records {step.state}", after

    def _receipts(self, state: World) -> Steps[World]:
        known = next((place for place, row in enumerate(state.rows) if row.ref), None)
        if state.looked:
            yield "the receipt is kept", state._replace(looked=state.looked - 1, kept=True)
        if not state.taken or not state.receipts:
            return
        less = state._replace(receipts=state.receipts - 1)
        yield "a receipt by our id arrives", self._reported(less, 0)
        if known is not None:
            yield "a receipt by reference arrives", self._reported(less, known)
        elif self.without is RENDEZVOUS:
            yield "a receipt by reference finds nothing", less._replace(looked=state.looked + 1)
        else:
            yield "a receipt by reference arrives early and is kept", less._replace(kept=True)

    def _reported(self, state: World, place: int) -> World:
        row = state.rows[place]
        after, news = outcomes.reported(row.state, DELIVERED)
        if self.without is FORWARD:
            after, news = "delivered", ("delivered",)
        return state.with_row(place, row._replace(state=after, held=False))._replace(told=state.told + len(news[-1:]))

    def mirrored(self, state: World) -> World:
        return state._replace(hands=state.hands[::-1])

    def problem(self, state: World, at_rest: bool) -> str | None:
        states = [row.state for row in state.rows]
        if state.taken > 1:
            return "the customer got it twice"
        if state.told and DELIVERED not in states:
            return f"taken back: told as delivered, now {states[0]}"
        if state.told > 1:
            return "told twice that it was delivered"
        return f"it ends as {states[0]}" if at_rest and states != [DELIVERED] else None
