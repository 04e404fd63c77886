"""How do the records of one poll get their endings in one transaction?

All of them or none. When the transaction fails it is settled again in parts, by partition, then in halves down to the
single record, so that only the culprit is parked and its neighbours go on. Timers and retries take the same way.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import asyncpg

from contracts.topics import TOPICS
from services.runtime import inbox, metrics, outbox, parking
from services.runtime.clock import Clock
from services.runtime.crashing import crash_point
from services.runtime.database import AWAY, PASSING, Connection, Pool
from services.runtime.endings import Dead, Retry, Tally
from services.runtime.errors import StoppedError
from services.runtime.failures import IMPATIENT, Failure, HandlerFailedError, PostgresAwayError, judge, postgres_is_away
from services.runtime.fresh import STORED
from services.runtime.logs import Log
from services.runtime.parking import Backoff
from services.runtime.pieces import Entry, Park, Piece
from services.runtime.refusal import Unreadable
from services.runtime.timers import EARLIEST, FIRING, TimerVoidError
from services.runtime.tracing import UNTRACED, Tracing
from services.runtime.work import Handler, Received, Work

TRIES = 4
"""How often a transaction is tried as it is before a conflict is taken apart."""
PAUSE_SECONDS = 0.01
FAILURES = (*AWAY, *PASSING, HandlerFailedError, asyncpg.PostgresError)
ACQUIRE_SECONDS = 10.0
BEHIND = partial(Retry, "behind", "an earlier one waits", tried=False)
HURRY = "SET LOCAL lock_timeout TO '100ms'"


@dataclass(slots=True)
class Endings:
    """What a transaction has found out about its entries."""

    ready: list[tuple[Entry, Received]] = field(default_factory=list)
    parks: list[Park] = field(default_factory=list)
    skipped: list[Entry] = field(default_factory=list)
    duplicates: list[Entry] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)
    """Messages that changed nothing, as the handler said."""
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """What the handler wants told once all this is stored."""

    def handled(self) -> list[Entry]:
        """Return every entry that need not be seen again."""
        return [*(entry for entry, _ in self.ready), *self.skipped, *self.duplicates]

    def without_effect(self) -> list[Entry]:
        """Return those of them that changed nothing."""
        idle = [entry for entry, received in self.ready if id(received) in self.idle] if self.idle else []
        return [*idle, *self.skipped, *self.duplicates]


@dataclass(slots=True)
class Processing:
    """Settles pieces of work for one service."""

    pool: Pool
    clock: Clock
    source: str
    handler: Handler
    log: Log
    backoff: Backoff = field(default_factory=Backoff)
    dead_in_a_row_max: int = 200
    tracing: Tracing = UNTRACED
    guarded: bool = True
    """Whether the inbox keeps repeats away from the handler."""
    committed: Callable[[int], None] = lambda _said: None
    """Told after each commit how much was said, so that relay and timers look at once where there is something."""
    _dead_in_a_row: int = 0

    async def settle(self, piece: Piece, *, hurried: bool = False) -> Tally:
        """Give every record of the piece its ending, stored in PostgreSQL, and return how they ended.

        ``hurried``: the whole has waited for a lock in vain; its parts look for the culprit and hardly wait.

        ``PostgresAwayError``, ``FencedError``, ``BusyError`` and ``TimerVoidError`` leave what was not committed
        without an ending; ``StoppedError`` means that too many in a row failed.
        """
        outcome = await self._tried(piece, None, hurried)
        if isinstance(outcome, Tally):
            return outcome
        parts = piece.parts()
        if not parts:
            return await self._parked(piece, outcome)
        tally = Tally()
        for part in parts:
            tally.add(await self.settle(part, hurried=hurried or outcome.locked))
        return tally

    async def _parked(self, piece: Piece, failure: Failure) -> Tally:
        """Park the single record that failed alone."""
        outcome = await self._tried(piece, failure, hurried=False)
        if isinstance(outcome, Failure):
            raise PostgresAwayError(outcome.detail)
        return outcome

    async def _tried(self, piece: Piece, verdict: Failure | None, hurried: bool) -> Tally | Failure:
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._transacted(piece, verdict, hurried)
            except PostgresAwayError:
                raise
            except FAILURES as error:
                if postgres_is_away(error):
                    raise PostgresAwayError(type(error).__name__) from error
                if not isinstance(error, PASSING) or isinstance(error, IMPATIENT) or not tries_left:
                    return judge(error)
            apart = 0.5 + random.random()  # noqa: S311 - lets rivals drift apart, guards nothing
            await asyncio.sleep(PAUSE_SECONDS * (TRIES - tries_left) * apart)
        raise AssertionError

    async def _transacted(self, piece: Piece, verdict: Failure | None, hurried: bool) -> Tally:
        now = self.clock.now()
        firing = FIRING.set(piece.firing)
        EARLIEST.set(None)
        STORED.set({})
        try:
            with metrics.TRANSACTION_SECONDS.time():
                async with self._acquired() as connection, connection.transaction():
                    if hurried:
                        await connection.execute(HURRY)
                    claimed = await piece.claim(connection, now)
                    blocked = await self._blocked(connection, claimed.entries) if claimed.waiting else set()
                    endings = self._sorted(claimed.entries, blocked, verdict, now)
                    said = await self._handled(connection, endings, now)
                    handled, idle = endings.handled(), endings.without_effect()
                    await piece.finish(connection, handled, idle, endings.parks, now)
                    crash_point("before_commit")
        finally:
            FIRING.reset(firing)
        crash_point("after_commit")
        piece.settled()
        self.committed(said)
        for tell in endings.after_commit:
            tell()
        return self._observed(piece, endings, said)

    async def _handled(self, connection: Connection, endings: Endings, now: datetime) -> int:
        if not endings.ready:
            return 0
        fresh = await inbox.claim(connection, endings.ready, now) if self.guarded else endings.ready
        if len(fresh) != len(endings.ready):
            kept = {id(entry) for entry, _ in fresh}
            endings.duplicates = [entry for entry, _ in endings.ready if id(entry) not in kept]
            endings.ready = fresh
        if not fresh:
            return 0
        work = Work(connection, [received for _, received in fresh], now)
        endings.after_commit, endings.idle = work.after_commit, work.idle
        with self.tracing.batch("process", self.source, (received.traceparent for received in work.received)):
            said = await self._said(work)
        if work.postponed:
            await self._postpone(work, endings)
        return said

    async def _postpone(self, work: Work, endings: Endings) -> None:
        """Park what the handler could not handle yet."""
        later = [(entry, received) for entry, received in endings.ready if id(received) in work.postponed]
        endings.ready = [each for each in endings.ready if id(each[1]) not in work.postponed]
        await inbox.release(work.connection, [received for _, received in later])
        first: set[tuple[str, bytes | None]] = set()
        for entry, received in later:
            key = entry.record.topic, entry.record.key
            failure = Failure("conflict", work.postponed[id(received)])
            ending = BEHIND(work.now) if key in first else failure.ending(entry.attempt + 1, self.backoff, work.now)
            endings.parks.append((entry, ending))
            first.add(key)

    async def _said(self, work: Work) -> int:
        try:
            outgoing = await self.handler(work)
            await outbox.append(work.connection, self.source, outgoing, work.now, self.tracing)
        except (*PASSING, TimerVoidError):
            raise
        except Exception as error:
            if postgres_is_away(error):
                raise PostgresAwayError(type(error).__name__) from error
            raise HandlerFailedError from error
        return len(outgoing)

    def _sorted(
        self,
        entries: Sequence[Entry],
        blocked: set[tuple[str, bytes]],
        verdict: Failure | None,
        now: datetime,
    ) -> Endings:
        endings = Endings()
        for entry in entries:
            opened = entry.opened
            if opened is None:
                endings.skipped.append(entry)
            elif isinstance(opened, Unreadable):
                endings.parks.append((entry, Dead(opened.reason, opened.detail)))
            elif (entry.record.topic, entry.record.key) in blocked:
                endings.parks.append((entry, BEHIND(now)))
            elif verdict is None:
                endings.ready.append((entry, opened))
            else:
                endings.parks.append((entry, verdict.ending(entry.attempt + 1, self.backoff, now)))
        if not endings.ready:
            self._stop_if_all_fail(_failures(endings))
        return endings

    async def _blocked(self, connection: Connection, entries: Sequence[Entry]) -> set[tuple[str, bytes]]:
        keys = {(entry.record.topic, entry.record.key) for entry in entries if entry.record.key is not None}
        return await parking.blocked(connection, keys) if keys else set()

    def _stop_if_all_fail(self, more: int) -> None:
        """Stop the service before it parks everything: so many failures in a row are probably our deploy."""
        if more and self._dead_in_a_row + more >= self.dead_in_a_row_max:
            total = self._dead_in_a_row + more
            raise StoppedError(f"{total} records in a row failed and none succeeded: look at `caseloop parked list`")

    def _observed(self, piece: Piece, endings: Endings, said: int) -> Tally:
        self._dead_in_a_row = 0 if endings.ready else self._dead_in_a_row + _failures(endings)
        retry = sum(isinstance(ending, Retry) for _, ending in endings.parks)
        tally = Tally(
            done=len(endings.ready),
            duplicate=len(endings.duplicates),
            retry=retry,
            dead=len(endings.parks) - retry,
            skipped=len(endings.skipped),
            said=said,
        )
        metrics.BATCH_RECORDS.observe(tally.records)
        for (topic, ending), count in _counted(endings).items():
            metrics.RECORDS.labels(topic, ending).inc(count)
        if endings.parks:
            self._report(piece.name, endings.parks)
        return tally

    def _report(self, work: str, parks: Sequence[Park]) -> None:
        reasons = Counter(ending.reason for _, ending in parks)
        first, detail = parks[0][0].record, parks[0][1].detail
        place = f"{first.topic}/{first.partition}/{first.offset}"
        self.log.warning("parked", work=work, reasons=dict(reasons), first=place, detail=detail)

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Connection]:
        try:
            connection = await self.pool.acquire(timeout=ACQUIRE_SECONDS)
        except (*AWAY, asyncpg.PostgresError) as error:
            raise PostgresAwayError(type(error).__name__) from error
        try:
            yield connection
        finally:
            await self.pool.release(connection)


def _failures(endings: Endings) -> int:
    """Return how many of these a bug of ours may have caused; each counts once, however often it is retried."""
    return sum(
        ending.reason == "handler_failed" if isinstance(ending, Retry) else ending.tried or _is_ours(entry)
        for entry, ending in endings.parks
        if entry.parked_id is None
    )


def _is_ours(entry: Entry) -> bool:
    """Tell whether we are the only ones who could have written what cannot be read.

    Anybody may write nonsense to a public door; if that counted, a flood of it would stop the service for good.
    """
    topic = TOPICS.get(entry.record.topic)
    return topic is None or not topic.public_door


def _counted(endings: Endings) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter((entry.record.topic, "done") for entry, _ in endings.ready)
    counted.update((entry.record.topic, "duplicate") for entry in endings.duplicates)
    counted.update((entry.record.topic, "skipped") for entry in endings.skipped)
    for entry, ending in endings.parks:
        counted[entry.record.topic, "retry" if isinstance(ending, Retry) else "dead"] += 1
    return counted
