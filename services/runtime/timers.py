"""How does a service send itself a message that arrives at a chosen moment?

``schedule`` and ``cancel`` are part of the transaction that calls them. Each setting of a timer gets a generation that
is never given again, so that an old one is void and a timer set anew under an old id is a new message.

Locks are taken in one order: first the rows of the business, then the rows of its timers. A firing transaction
therefore locks its timers last (:class:`Firing`); were it to lock them first, it would meet a handler that
cancels the timer of the very case that the fired timer is about, and one of the two would die of a deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from services.runtime.database import Connection
from services.runtime.work import TimerFired

SCHEDULE_TIMERS = """
-- Set or move timers; what the timer's older settings left in the parking lot is void.
WITH given AS (
    SELECT timer_id, due_at, kind, key, payload
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])
        AS g (timer_id, due_at, kind, key, payload)
    ORDER BY timer_id
), voided AS (
    UPDATE parked
    SET status = 'discarded', detail = 'the timer was set anew', next_attempt_at = NULL, changed_at = now()
    WHERE timer_id = ANY ($1::uuid[]) AND status IN ('retry', 'dead')
)
INSERT INTO timers (timer_id, due_at, generation, kind, key, payload)
SELECT timer_id, due_at, nextval('timer_generations'), kind, key, payload::jsonb FROM given
ON CONFLICT (timer_id) DO UPDATE SET
    due_at = excluded.due_at, generation = excluded.generation,
    kind = excluded.kind, key = excluded.key, payload = excluded.payload
"""

CANCEL_TIMERS = """
-- Remove timers, also from the parking lot: after the commit they never fire.
WITH voided AS (
    UPDATE parked
    SET status = 'discarded', detail = 'the timer was cancelled', next_attempt_at = NULL, changed_at = now()
    WHERE timer_id = ANY ($1::uuid[]) AND status IN ('retry', 'dead')
), locked AS (
    SELECT timer_id FROM timers WHERE timer_id = ANY ($1::uuid[]) ORDER BY timer_id FOR UPDATE
)
DELETE FROM timers USING locked WHERE timers.timer_id = locked.timer_id
"""

DELETE_FIRED = """
-- Take exactly these settings away; fewer rows than asked mean that somebody moved or cancelled one.
WITH fired AS (
    SELECT timer_id, generation FROM unnest($1::uuid[], $2::bigint[]) AS f (timer_id, generation)
), locked AS (
    SELECT timers.timer_id FROM timers JOIN fired USING (timer_id, generation)
    ORDER BY timers.timer_id FOR UPDATE OF timers
), gone AS (
    DELETE FROM timers USING locked WHERE timers.timer_id = locked.timer_id RETURNING timers.timer_id
)
SELECT count(*) FROM gone
"""

LIST_DUE = """
-- The next timers from one moment to another, in the order in which they are due.
SELECT timer_id, due_at, generation, kind, key, payload::text AS payload FROM timers
WHERE due_at <= $1 AND due_at >= $3 ORDER BY due_at, timer_id LIMIT $2
"""

VOID = """
-- Which of these settings are no longer in force? Nearly always none, so that nothing is sent and read.
SELECT fired.timer_id FROM unnest($1::uuid[], $2::bigint[]) AS fired (timer_id, generation)
LEFT JOIN timers USING (timer_id, generation)
WHERE timers.timer_id IS NULL
"""


@dataclass(frozen=True, slots=True)
class Timer:
    """A message to oneself: what to say (``kind``, ``payload``), about what (``key``), and when."""

    timer_id: UUID
    due_at: datetime
    kind: str
    key: str
    payload: Mapping[str, str | int | None]


class TimerVoidError(Exception):
    """A timer was moved or cancelled while it fired: the firing must not happen."""


class Firing:
    """The timers of one firing transaction that have not been taken away yet."""

    __slots__ = ("_connection", "_open")

    def __init__(self) -> None:
        """Begin with nothing to take away."""
        self._connection: Connection | None = None
        self._open: dict[UUID, int] = {}

    def begin(self, connection: Connection, fired: Iterable[TimerFired]) -> None:
        """Remember exact settings, id and generation, and whose transaction takes them away."""
        self._connection = connection
        self._open = {timer.timer_id: timer.generation for timer in fired}

    async def take(self, connection: Connection, timer_ids: Iterable[UUID]) -> None:
        """Delete those of ``timer_ids`` that are firing here, or raise :class:`TimerVoidError`."""
        if connection is not self._connection:
            return
        ours = {timer_id: self._open.pop(timer_id) for timer_id in timer_ids if timer_id in self._open}
        if not ours:
            return
        gone = await connection.fetchval(DELETE_FIRED, list(ours), list(ours.values()))
        if gone != len(ours):
            raise TimerVoidError

    async def take_rest(self, connection: Connection) -> None:
        """Delete every timer that the handler did not touch, or raise :class:`TimerVoidError`."""
        await self.take(connection, list(self._open))


FIRING: ContextVar[Firing | None] = ContextVar("firing", default=None)
"""Set while a firing transaction runs its handler, which may set or cancel the very timers that are firing."""
LOOK_SECONDS = 0.25
"""How long at most nobody looks for due timers; a timer set by another replica is noticed within this time."""
EARLIEST: ContextVar[datetime | None] = ContextVar("earliest", default=None)
"""When the first of the timers is due that this transaction has set; whoever begins a transaction forgets it."""


async def schedule(connection: Connection, timers: Sequence[Timer]) -> None:
    """Set these timers in the caller's transaction; one that exists is moved and its old setting is void.

    Of several with one id the last wins. ``payload`` holds texts, whole numbers and nulls (F2, S2).
    """
    if not timers:
        return
    given = {timer.timer_id: timer for timer in timers}
    earliest, known = min(timer.due_at for timer in given.values()), EARLIEST.get()
    EARLIEST.set(earliest if known is None else min(earliest, known))
    await _take_firing(connection, given)
    await connection.execute(
        SCHEDULE_TIMERS,
        list(given),
        [timer.due_at for timer in given.values()],
        [timer.kind for timer in given.values()],
        [timer.key for timer in given.values()],
        [orjson.dumps(dict(timer.payload)).decode() for timer in given.values()],
    )


def soonest(now: datetime) -> datetime | None:
    """Return when the first timer of this transaction is due, if that is before anybody would look by himself."""
    earliest = EARLIEST.get()
    return earliest if earliest is not None and earliest - now <= timedelta(seconds=LOOK_SECONDS) else None


async def cancel(connection: Connection, timer_ids: Sequence[UUID]) -> None:
    """Remove these timers in the caller's transaction; after its commit they never fire. Unknown ids are no error."""
    if not timer_ids:
        return
    await _take_firing(connection, timer_ids)
    await connection.execute(CANCEL_TIMERS, list(timer_ids))


async def due(connection: Connection, since: datetime, until: datetime, limit: int) -> list[TimerFired]:
    """Return the next timers due between these moments, without claiming them."""
    rows = await connection.fetch(LIST_DUE, until, limit, since)
    return [
        TimerFired(
            row["kind"],
            row["key"],
            orjson.loads(row["payload"]),
            row["due_at"],
            row["timer_id"],
            row["generation"],
        )
        for row in rows
    ]


async def void(connection: Connection, fired: Sequence[TimerFired]) -> set[UUID]:
    """Return the ids whose setting is no longer in force."""
    rows = await connection.fetch(VOID, [timer.timer_id for timer in fired], [timer.generation for timer in fired])
    return {row["timer_id"] for row in rows}


async def _take_firing(connection: Connection, timer_ids: Iterable[UUID]) -> None:
    firing = FIRING.get()
    if firing is not None:
        await firing.take(connection, timer_ids)
