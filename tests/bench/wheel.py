"""How are timers of the production code set, fired and counted, without a service around them?

One process with the production pool, ``schedule``, ``cancel`` and firing loop on a schema of its own. The handler
writes down each firing in one row and says nothing: the rows are the proof.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from contracts.message import derived_id
from services.runtime.clock import SystemClock
from services.runtime.database import Pool, open_pool
from services.runtime.firing import timers_loop
from services.runtime.journey import GC_THRESHOLDS
from services.runtime.logs import Log
from services.runtime.looking import DueEvent
from services.runtime.processing import Processing
from services.runtime.timers import Timer, schedule
from services.runtime.work import Outgoing, TimerFired, Work
from tests.bench.workload import Ground, NoResultError
from tests.support.floor import migrate_schema, settings_for

FIRED = """
CREATE TABLE fired (
    timer_id uuid NOT NULL, generation bigint NOT NULL, due_at timestamptz NOT NULL,
    fired_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
WRITE = """
INSERT INTO fired (timer_id, generation, due_at) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[])
"""
COUNTED = """
SELECT count(*) AS fired, count(DISTINCT timer_id) AS timers, count(*) FILTER (WHERE fired_at < due_at) AS early,
    (SELECT count(*) FROM timers) AS waiting, (SELECT count(*) FROM parked) AS parked
FROM fired
"""
BATCH = 10_000
"""Timers of one transaction that sets very many."""
SETTERS = 2
"""Connections that do so."""
KINDS = ("promise_due", "clock_warning", "callback_due", "reminder")


def timer(name: str, number: int, due_at: datetime) -> Timer:
    """Return the timer of this number: the same id each time, with what the product's timers hold."""
    case = derived_id("case", name, number)
    payload: dict[str, str | int | None] = {"case_id": str(case), "step": number % 4, "department": "technical_support"}
    return Timer(derived_id(name, number), due_at, KINDS[number % 4], str(case), payload)


@dataclass(slots=True)
class Wheel:
    """A pool, a firing loop when it runs, and what it fired when."""

    pool: Pool
    clock: SystemClock = field(default_factory=SystemClock)
    lateness: list[float] = field(default_factory=list)
    """Seconds from due to the commit of the firing, of every timer."""
    last_at: datetime | None = None
    """When the newest firing was committed."""
    effect: bool = True
    """Whether the handler writes down each firing; else it does nothing at all."""
    _batch: Sequence[datetime] = ()
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def turning(self) -> AsyncIterator[None]:
        """Let the production loop fire what is due."""
        log, stopping = Log("bench", "error"), asyncio.Event()
        processing = Processing(self.pool, self.clock, "caseloop/bench", self._fire, log, committed=self._committed)
        async with asyncio.TaskGroup() as group:
            group.create_task(timers_loop(processing, self.pool, DueEvent(), log, stopping))
            try:
                yield
            finally:
                stopping.set()

    async def fired(self, total: int, seconds: float) -> None:
        """Wait until so many were fired in all."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.lateness) < total:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            raise NoResultError(f"{len(self.lateness)} of {total} timers fired within {seconds:g} s") from None

    async def counted(self, fired: int, waiting: int) -> dict[str, int]:
        """Count in the tables; whatever is not exactly so is no result."""
        row = await self.pool.fetchrow(COUNTED)
        found = dict(row or {})
        wanted = {"fired": fired, "timers": fired, "early": 0, "waiting": waiting, "parked": 0}
        if found != wanted:
            raise NoResultError(f"{found} in the tables, {wanted} would be right")
        return found

    async def wait_until(self, moment: datetime) -> None:
        """Sleep until then, if it has not come yet."""
        await asyncio.sleep(max((moment - self.clock.now()).total_seconds(), 0))

    def now(self) -> datetime:
        """Return the present."""
        return self.clock.now()

    async def _fire(self, work: Work) -> Sequence[Outgoing]:
        timers = [received.message for received in work.received if isinstance(received.message, TimerFired)]
        ids: list[UUID] = [each.timer_id for each in timers]
        self._batch = [each.due_at for each in timers]
        if self.effect:
            await work.connection.execute(WRITE, ids, [each.generation for each in timers], self._batch)
        return ()

    def _committed(self, _said: int) -> None:
        self.last_at = self.clock.now()
        self.lateness.extend((self.last_at - due).total_seconds() for due in self._batch)
        self._batch = ()
        self._progress.set()


@asynccontextmanager
async def a_wheel(ground: Ground, name: str, *, effect: bool = True) -> AsyncIterator[Wheel]:
    """Give a wheel on an empty schema; what others left behind is written to disk first."""
    settings = settings_for(ground.postgres, ground.kafka)
    await migrate_schema(settings, name)
    async with open_pool(settings, name) as pool:
        await pool.execute(FIRED)
        await pool.execute("CHECKPOINT")
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)  # as in every process of the product
        yield Wheel(pool, effect=effect)
        await pool.execute(f'DROP SCHEMA "{name}" CASCADE')


def spread(name: str, count: int, begin: datetime, over: timedelta) -> list[Timer]:
    """Return timers whose due moments are spread evenly over a time, in an order that has nothing to do with it."""
    step = over / count
    return [timer(name, number, begin + step * (number * 7919 % count)) for number in range(count)]


async def set_all(wheel: Wheel, timers: Sequence[Timer]) -> float:
    """Set these by the production code, some transactions at a time, and return how many a second."""
    batches = iter([timers[at : at + BATCH] for at in range(0, len(timers), BATCH)])

    async def setter() -> None:
        for batch in batches:
            async with wheel.pool.acquire() as connection, connection.transaction():
                await schedule(connection, batch)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(SETTERS):
            group.create_task(setter())
    return len(timers) / (time.perf_counter() - began)
