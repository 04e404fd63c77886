"""How does a timer that is due reach its handler, once?

Candidates are read without a lock; one replica at a time fires (an advisory lock), the handler runs, and the exact
settings are deleted last. A timer that was moved or cancelled meanwhile undoes the firing.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.message import derived_id
from services.runtime import metrics, parking, timers
from services.runtime.database import Connection, Pool
from services.runtime.lifecycle import wait
from services.runtime.logs import Log
from services.runtime.looking import DueEvent, LookBack
from services.runtime.pieces import BusyError, Claimed, Entry, Park, Piece, halves
from services.runtime.processing import Processing
from services.runtime.records import Record
from services.runtime.refusal import Unreadable
from services.runtime.timers import Firing, TimerVoidError
from services.runtime.work import TIMER_TYPE_PREFIX, TIMERS_TOPIC, Received, TimerFired

BATCH_MAX = 1000
IDLE_SECONDS = timers.LOOK_SECONDS

LOCK = """
-- firing.lock: one replica fires at a time, and whether any record waits for its retry
SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':timers', 0)) AS locked,
    EXISTS (SELECT FROM parked WHERE status = 'retry') AS waiting
"""


@dataclass(slots=True)
class DueTimers:
    """Timers whose time has come, fired together."""

    fired: Sequence[TimerFired]
    source: str
    name: str = "timers"
    firing: Firing = field(default_factory=Firing)

    async def claim(self, connection: Connection, now: datetime) -> Claimed:  # noqa: ARG002 - they were due when they were read
        """Return those whose setting is still in force, or raise :class:`BusyError`."""
        row = await connection.fetchrow(LOCK)
        if row is None or not row["locked"]:
            raise BusyError
        void = await timers.void(connection, self.fired)
        mine = [timer for timer in self.fired if timer.timer_id not in void]
        self.firing.begin(connection, mine)
        return Claimed([_entry(timer, self.source) for timer in mine], row["waiting"])

    async def finish(
        self,
        connection: Connection,
        handled: Sequence[Entry],  # noqa: ARG002 - all are deleted
        idle: Sequence[Entry],  # noqa: ARG002 - nobody asked for them
        parks: Sequence[Park],
        now: datetime,
    ) -> None:
        """Delete exactly the settings that fired; park what did not end well."""
        await self.firing.take_rest(connection)
        if parks:
            await parking.park(connection, [(_written(entry), ending) for entry, ending in parks], now)

    def settled(self) -> None:
        """Count them."""
        metrics.TIMERS_FIRED.inc(len(self.fired))

    def parts(self) -> Sequence[Piece]:
        """Cut in halves."""
        return [DueTimers(half, self.source) for half in halves(self.fired)] if len(self.fired) > 1 else ()


async def timers_loop(
    processing: Processing,
    pool: Pool,
    wake: DueEvent,
    log: Log,
    stopping: asyncio.Event,
) -> None:
    """Fire timers until told to stop; sleeps until the next is due, at most ``IDLE_SECONDS``, or until woken."""
    while not stopping.is_set():
        wake.clear()
        pause = await fire_due(processing, pool, log, wake.looks)
        if pause > 0:
            await _sleep(pause, wake, stopping)


async def fire_due(processing: Processing, pool: Pool, log: Log, looks: LookBack) -> float:
    """Fire what is due now, one batch, and return the seconds to wait before looking again (0: at once)."""
    now = processing.clock.now()
    horizon = now + timedelta(seconds=IDLE_SECONDS)
    async with pool.acquire() as connection:
        upcoming = await timers.due(connection, looks.since(now), horizon, BATCH_MAX)
    fired = [timer for timer in upcoming if timer.due_at <= now]
    if not fired:
        looks.seen(now)
        return min((timer.due_at - now).total_seconds() for timer in upcoming) if upcoming else IDLE_SECONDS
    try:
        tally = await processing.settle(DueTimers(fired, processing.source))
    except BusyError:
        return IDLE_SECONDS
    except TimerVoidError:
        return 0.0
    if len(upcoming) < BATCH_MAX:
        looks.seen(now)
    metrics.observe(metrics.TIMER_LATE_SECONDS, [(now - timer.due_at).total_seconds() for timer in fired])
    log.info("timers_fired", timers=tally.records, said=tally.said, parked=tally.retry + tally.dead)
    return 0.0


def open_timer(record: Record, source: str) -> Received | Unreadable:
    """Return the fired timer that was parked in this record."""
    try:
        members = json.loads(record.value or b"")
        fired = TimerFired(
            members["kind"],
            members["key"],
            members["payload"],
            datetime.fromisoformat(members["due_at"]),
            UUID(members["timer_id"]),
            members["generation"],
        )
    except (ValueError, KeyError, TypeError):
        return Unreadable("invalid_data", "the parked timer is none: its row was changed by another hand")
    return _received(fired, source)


def _entry(timer: TimerFired, source: str) -> Entry:
    """Return the entry of a timer. Its record gets a value when it is parked: writing it was a third of all work."""
    record = Record(TIMERS_TOPIC, -1, timer.generation, 0, timer.key.encode(), None, ())
    return Entry(record, _received(timer, source))


def _written(entry: Entry) -> Entry:
    """Return the entry with all that :func:`open_timer` needs in its record."""
    timer = entry.opened.message if isinstance(entry.opened, Received) else None
    if not isinstance(timer, TimerFired):
        raise TypeError(entry.record.topic)
    members = {
        "kind": timer.kind,
        "key": timer.key,
        "payload": timer.payload,
        "due_at": timer.due_at.astimezone(UTC).isoformat(),
        "timer_id": str(timer.timer_id),
        "generation": timer.generation,
    }
    milliseconds = int(timer.due_at.timestamp() * 1000)
    record = entry.record._replace(timestamp_ms=milliseconds, value=json.dumps(members).encode())
    return entry._replace(record=record)


def _received(timer: TimerFired, source: str) -> Received:
    message_id = derived_id(timer.timer_id, timer.generation)
    return Received(
        message=timer,
        message_id=message_id,
        ce_id=str(message_id),
        source=source,
        type=TIMER_TYPE_PREFIX + timer.kind,
        time=timer.due_at,
        traceparent=None,
        topic=TIMERS_TOPIC,
        partition=-1,
        offset=timer.generation,
        key=timer.key,
    )


async def _sleep(seconds: float, wake: asyncio.Event, stopping: asyncio.Event) -> None:
    """Wait for the next timer, a new one, or the end."""
    if not stopping.is_set():
        await wait(wake, seconds)
