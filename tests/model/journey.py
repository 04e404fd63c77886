"""Has every event its effect once, and is it said once and in order, whatever two workers interleave?

Two workers own both partitions twice over (the worst a rebalance can do). Partition 0 is an edge, where an outsider
repeats ``a1``; partition 1 is the journal, which no inbox guards. ``a1`` and ``a2`` are about one case. One thing fails
at any moment: a worker is killed, a relay is paused until its lease runs out, or the brokers refuse a row.

==================  ==================================================================================================
adopts              ``Consumer.adopt``: ``offsets.LOAD``; after a start and after being fenced
is fenced           ``Stretches.claim``: ``offsets.ADVANCE`` finds another mark than the remembered one
decides             ``offsets.ADVANCE`` moves the mark and so locks its row, then ``inbox.claim``, the handler's load
                    (which locks the case's row) and ``outbox.INSERT`` (which takes an id); nothing is committed yet
commits             the end of ``Processing._transacted``: mark, inbox, effect and outbox row at once
takes the lease     ``Leases.renew``
reads               ``Relay.take``: ``relay.TAKE``
sends               ``publishing._deliver_chain``: one batch behind the ack of the other
retires             the first half of ``relay.TAKE``, with what ``Relay._send`` saw arrive
==================  ==================================================================================================
"""

from typing import NamedTuple

from services.router.storage import cases
from services.runtime import inbox, leases, offsets, publishing, relay
from services.runtime.processing import Processing
from tests.model.explorer import Guard, Steps

RECORDS = (("a1", "a1"), ("a2", "b1"))
EDGE = 0
EVENTS = frozenset({"a1", "a2", "b1"})
DEAD = -1
OTHER: dict[int | None, int] = {0: 1, 1: 0}
Row = tuple[int, str]

COMPARED = Guard("offset compare-and-set", offsets.ADVANCE, "koff.next_offset = moves.remembered", "two effects of")
CLAIMED = Guard("inbox", inbox.CLAIM, "ON CONFLICT DO NOTHING\nRETURNING message_id", "two effects of")
TOGETHER = Guard("offset and effect in one transaction", Processing._transacted, "connection.transaction()", "two eff")
LOCKED = Guard("a case's row is locked before an outbox id is taken", cases.LOAD, "FOR UPDATE", "out of order")
LEASED = Guard("relay lease", relay.TAKE, "WHERE owner = $1 AND lease_until > clock_timestamp()", "said twice though")
SOLE = Guard("a lease in force is not taken over", leases.fair_share, "if holder is None", "said twice though")
OLDEST = Guard("oldest rows first", relay.TAKE, "ORDER BY id LIMIT $2", "out of order")
NO_CURSOR = Guard("no cursor", relay.TAKE, "AND id <> ALL ($3::bigint[])", "never said")
ACKED = Guard("delete after the ack", publishing.KafkaPublisher.publish, "shipment.arrived(rows)", "never said")
HELD_BACK = Guard(
    "a refused row holds back those behind it", publishing._deliver_chain, "for parcel in", "out of order"
)
GUARDS = (COMPARED, CLAIMED, TOGETHER, LOCKED, LEASED, SOLE, OLDEST, NO_CURSOR, ACKED, HELD_BACK)


class Transaction(NamedTuple):
    """An open transaction on one record."""

    place: int
    remembered: int
    row: Row | None = None
    """What it will say; nothing when the inbox knows the event."""
    stored: bool = False
    """Only without one transaction: the effect is stored, the mark has not moved yet."""

    @property
    def event(self) -> str:
        """Return what it is about."""
        return RECORDS[self.place][self.remembered]

    @property
    def key(self) -> str:
        """Return the case."""
        return self.event[0]


class Worker(NamedTuple):
    """A process: its consumer and its relay."""

    remembered: tuple[int, ...] | None = None
    open: Transaction | None = None
    rows: tuple[Row, ...] = ()
    sent: int = 0
    cursor: int = 0
    """Only without ``NO_CURSOR``."""


class World(NamedTuple):
    """PostgreSQL, the topic that is written to, and two workers."""

    marks: tuple[int, ...] = (0, 0)
    claimed: frozenset[str] = frozenset()
    effects: tuple[str, ...] = ()
    outbox: tuple[Row, ...] = ()
    next_id: int = 1
    owner: int | None = None
    topic: tuple[str, ...] = ()
    workers: tuple[Worker, ...] = (Worker(), Worker())
    faults: int = 1

    def with_worker(self, number: int, worker: Worker, **changes: object) -> "World":
        """Return the world with this worker changed."""
        workers = tuple(worker if place == number else other for place, other in enumerate(self.workers))
        return self._replace(workers=workers, **changes)  # type: ignore[arg-type]  # fields of a world


class Journey:
    """consume -> commit -> relay -> retire."""

    def __init__(self, without: Guard | None = None) -> None:
        self.without = without

    def initial(self) -> World:
        return World()

    def steps(self, state: World) -> Steps[World]:
        for number, worker in enumerate(state.workers):
            yield from self._consume(state, number, worker)
            yield from self._relay(state, number, worker)
        if state.owner == DEAD:
            yield "the lease of the dead runs out", state._replace(owner=None)

    def faults(self, state: World) -> Steps[World]:
        if not state.faults:
            return
        less = state._replace(faults=state.faults - 1)
        for number, worker in enumerate(state.workers):
            owner = DEAD if state.owner == number else state.owner
            yield f"worker {number} is killed", less.with_worker(number, Worker(), owner=owner)
            if state.owner == number:
                yield f"worker {number} is paused until its lease runs out", less._replace(owner=None)
            if worker.sent < len(worker.rows):
                refused = worker.rows[worker.sent]
                going_on = () if self.without is not HELD_BACK else worker.rows[worker.sent + 1 :]
                kept = worker._replace(rows=worker.rows[: worker.sent] + going_on)
                yield f"the brokers refuse {refused[1]} of worker {number}", less.with_worker(number, kept)

    def _consume(self, state: World, number: int, worker: Worker) -> Steps[World]:
        now = worker.open
        if worker.remembered is None:
            adopted = worker._replace(remembered=state.marks)
            yield f"worker {number} adopts {state.marks}", state.with_worker(number, adopted)
        elif now is None:
            for place, mark in enumerate(worker.remembered):
                if mark < len(RECORDS[place]):
                    yield from self._decide(state, number, worker, Transaction(place, mark))
        elif self.without is TOGETHER and not now.stored:
            stored = worker._replace(open=now._replace(stored=True))
            yield f"worker {number} commits {now.event}, not its mark", _stored(state, now).with_worker(number, stored)
        else:
            yield f"worker {number} commits {now.event}", _committed(state, number, worker, now)

    def _decide(self, state: World, number: int, worker: Worker, now: Transaction) -> Steps[World]:
        others = [other.open for other in state.workers if other.open is not None]
        if any(other.place == now.place for other in others):
            return
        if self.without is not COMPARED and state.marks[now.place] != now.remembered:
            fenced = worker._replace(remembered=None)
            yield f"worker {number} is fenced at {now.place}/{now.remembered}", state.with_worker(number, fenced)
        elif self.without is not CLAIMED and now.place == EDGE and now.event in state.claimed:
            known = worker._replace(open=now)
            yield f"worker {number} knows {now.event}", state.with_worker(number, known)
        elif self.without is LOCKED or all(other.row is None or other.key != now.key for other in others):
            deciding = worker._replace(open=now._replace(row=(state.next_id, now.event)))
            label = f"worker {number} decides {now.event} from {now.place}/{now.remembered}, outbox id {state.next_id}"
            yield label, state.with_worker(number, deciding, next_id=state.next_id + 1)

    def _relay(self, state: World, number: int, worker: Worker) -> Steps[World]:
        if not worker.rows:
            yield from self._read(state, number, worker)
        elif worker.sent < len(worker.rows):
            event = worker.rows[worker.sent][1]
            sent = worker._replace(sent=worker.sent + 1)
            yield f"worker {number} sends {event}", state.with_worker(number, sent, topic=(*state.topic, event))
        else:
            left = tuple(row for row in state.outbox if row not in worker.rows)
            cursor = worker.rows[-1][0] if self.without is NO_CURSOR else 0
            free = worker._replace(rows=(), sent=0, cursor=cursor)
            yield f"worker {number} retires its rows", state.with_worker(number, free, outbox=left)

    def _read(self, state: World, number: int, worker: Worker) -> Steps[World]:
        if state.owner is None or (self.without is SOLE and state.owner != number):
            yield f"worker {number} takes the lease", state._replace(owner=number)
        if state.owner != number and self.without is not LEASED:
            return
        rows = tuple(row for row in state.outbox if self.without is not NO_CURSOR or row[0] > worker.cursor)
        if rows:
            ordered = rows[::-1] if self.without is OLDEST else rows
            reading = worker._replace(rows=ordered)
            left = () if self.without is ACKED else state.outbox
            label = f"worker {number} reads {', '.join(event for _, event in ordered)}"
            yield label, state.with_worker(number, reading, outbox=left)

    def mirrored(self, state: World) -> World:
        return state._replace(workers=state.workers[::-1], owner=OTHER.get(state.owner, state.owner))

    def problem(self, state: World, at_rest: bool) -> str | None:
        for event in sorted(EVENTS):
            if state.effects.count(event) > 1:
                return f"two effects of {event}"
        for key in "ab":
            said = list(dict.fromkeys(event for event in state.topic if event[0] == key))
            done = [event for event in state.effects if event[0] == key]
            if said != done[: len(said)]:
                return f"out of order: said {said}, done {done}"
        if state.faults and len(set(state.topic)) != len(state.topic):
            return f"said twice though nothing failed: {', '.join(state.topic)}"
        lost = _lost(state)
        missing = sorted(lost or EVENTS - set(state.topic))
        return f"never said: {', '.join(missing)}" if lost or (at_rest and missing) else None


def _lost(state: World) -> set[str]:
    """Return what had its effect, was not said and waits nowhere where the relay would look."""
    cursor = 0 if state.owner is None or state.owner == DEAD else state.workers[state.owner].cursor
    waiting = {event for row, event in state.outbox if row > cursor}
    in_hand = {event for worker in state.workers for _, event in worker.rows}
    return set(state.effects) - set(state.topic) - waiting - in_hand


def _stored(state: World, now: Transaction) -> World:
    if now.row is None:
        return state
    return state._replace(
        claimed=state.claimed | {now.event} if now.place == EDGE else state.claimed,
        effects=(*state.effects, now.event),
        outbox=tuple(sorted((*state.outbox, now.row))),
    )


def _committed(state: World, number: int, worker: Worker, now: Transaction) -> World:
    after = state if now.stored else _stored(state, now)
    assert worker.remembered is not None
    free = worker._replace(remembered=_moved(worker.remembered, now), open=None)
    return after.with_worker(number, free, marks=_moved(state.marks, now))


def _moved(marks: tuple[int, ...], now: Transaction) -> tuple[int, ...]:
    return tuple(now.remembered + 1 if place == now.place else mark for place, mark in enumerate(marks))
