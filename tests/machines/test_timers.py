"""Do timers on PostgreSQL do what a sorted list does, whoever sets, moves, cancels, fires, fails or is killed (I4)?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.message import derived_id
from services.runtime import firing, timers
from services.runtime.database import Pool
from services.runtime.failures import PostgresAwayError
from services.runtime.looking import LookBack
from services.runtime.retrier import retry_due
from services.runtime.timers import Timer
from services.runtime.work import Outgoing, Work
from tests.machines.postgres import cut, play, running, tiny
from tests.support.tiny import Notes, SettableClock, a_consumer, effects

IDS = [derived_id("timer", number) for number in range(5)]
ANY = st.sampled_from(IDS)
SOON = st.integers(-20, 8)
"""Seconds from now; who was away sets what should have been long ago."""


@dataclass(slots=True)
class Handler:
    """Writes effects; once, what a step wants: is killed in the middle, fails at numbers, or is overtaken."""

    pool: Pool
    notes: Notes = field(default_factory=Notes)
    killed: bool = False
    changes: UUID | None = None

    async def __call__(self, work: Work) -> Sequence[Outgoing]:
        said = await self.notes(work)
        if self.killed:
            await cut(self.pool, work.connection)
        if self.changes is not None:
            async with self.pool.acquire() as connection, connection.transaction():
                await timers.cancel(connection, [self.changes])
            self.changes = None
        return said


class TimerLife(RuleBasedStateMachine):
    """Five ids, two replicas of which the second has always just started, a retrier."""

    run: Callable[[Awaitable[Any]], Any]
    pool: Pool

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.handler = SettableClock(), Handler(self.pool)
        self.consumers = [a_consumer(self.pool, self.handler, self.clock) for _ in range(2)]
        self.looks = LookBack()
        self.number = 0
        self.set: dict[UUID, tuple[datetime, int]] = {}
        self.parked: dict[UUID, int] = {}
        self.fired: list[int] = []
        self.run(self.pool.execute("TRUNCATE timers, parked, effects"))

    def due(self) -> list[UUID]:
        """Return what is due, in the order in which it is to fire."""
        ready = [timer_id for timer_id, (due_at, _) in self.set.items() if due_at <= self.clock.now()]
        return sorted(ready, key=lambda timer_id: (self.set[timer_id][0], timer_id))

    def fires(self, ids: Sequence[UUID]) -> None:
        self.fired += [self.set.pop(timer_id)[1] for timer_id in ids]

    async def fire(self, replica: int = 0) -> None:
        consumer = self.consumers[replica]
        await firing.fire_due(consumer.processing, self.pool, consumer.log, LookBack() if replica else self.looks)

    @rule(given=st.dictionaries(ANY, SOON, min_size=1, max_size=3))
    def a_message_sets_or_moves(self, given: dict[UUID, int]) -> None:
        wanted = []
        for timer_id, seconds in given.items():
            self.number += 1
            due_at = self.clock.now() + timedelta(seconds=seconds)
            wanted.append(Timer(timer_id, due_at, "tick", str(timer_id), {"number": self.number}))
            self.set[timer_id] = (due_at, self.number)
            self.parked.pop(timer_id, None)
        self.run(self.commit(wanted, ()))

    @rule(ids=st.sets(ANY, min_size=1, max_size=3))
    def a_message_cancels(self, ids: set[UUID]) -> None:
        for timer_id in ids:
            self.set.pop(timer_id, None)
            self.parked.pop(timer_id, None)
        self.run(self.commit((), sorted(ids)))

    async def commit(self, wanted: Sequence[Timer], unwanted: Sequence[UUID]) -> None:
        timers.EARLIEST.set(None)
        async with self.pool.acquire() as connection, connection.transaction():
            await timers.schedule(connection, wanted)
            await timers.cancel(connection, unwanted)
        due = timers.soonest(self.clock.now())
        if due is not None:
            self.looks.reach(due)

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def a_replica_fires(self) -> None:
        self.run(self.fire())
        self.fires(self.due())

    @rule()
    def both_replicas_fire(self) -> None:
        async def both() -> None:
            await asyncio.gather(self.fire(0), self.fire(1))

        self.run(both())
        self.fires(self.due())

    @rule()
    def a_replica_is_killed_before_it_commits(self) -> None:
        self.handler.killed = True
        with suppress(PostgresAwayError):
            self.run(self.fire())
        self.handler.killed = False

    @rule(data=st.data())
    def one_is_cancelled_while_it_fires(self, data: st.DataObject) -> None:
        due = self.due()
        if due:
            self.handler.changes = data.draw(st.sampled_from(due))
            self.set.pop(self.handler.changes)
            self.run(self.fire())

    @rule(data=st.data())
    def one_fails_and_is_parked_alone(self, data: st.DataObject) -> None:
        due = self.due()
        if due:
            failing = data.draw(st.sampled_from(due))
            self.parked[failing] = self.set.pop(failing)[1]
            self.handler.notes.failures = {self.parked[failing]: ValueError}
            self.run(self.fire())
            self.handler.notes.failures = {}
            self.fires([timer_id for timer_id in due if timer_id != failing])

    @rule()
    def the_retrier_looks_later(self) -> None:
        self.clock.pass_by(60)
        consumer = self.consumers[0]
        self.run(retry_due(consumer.processing, self.pool, consumer.open_record, consumer.keep))
        self.fired += self.parked.values()
        self.parked.clear()

    @invariant()
    def it_is_as_the_list_says(self) -> None:
        assert [number for _, number in self.run(effects(self.pool))] == self.fired
        rows = self.run(self.pool.fetch("SELECT timer_id, due_at, payload->>'number' AS number FROM timers"))
        assert {row["timer_id"]: (row["due_at"], int(row["number"])) for row in rows} == self.set
        waiting = self.run(self.pool.fetch("SELECT timer_id FROM parked WHERE status = 'retry'"))
        assert {row["timer_id"] for row in waiting} == set(self.parked)


def test_timers_are_a_sorted_list(postgres_dsn: str) -> None:
    with running(tiny(postgres_dsn)) as (runner, pool):
        play(TimerLife, runner, pool=pool)
