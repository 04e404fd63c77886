"""How do queued messages reach the provider, each at most once?

Lease, call outside any transaction, record. One loop leases, many call, one records whatever has come in since in a
single transaction. A crash in between leaves a lease that runs out, and that is looked up, never sent blindly.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import ceil

from services.notify import metrics
from services.notify.domain.outcomes import Accepted, Outcome, Postponed, Refused, Untouched
from services.notify.domain.pace import Pace
from services.notify.handlers.recording import record, request_of
from services.notify.senders.http import HttpSender, open_sender
from services.notify.settings import NotifySettings
from services.notify.storage import leases
from services.notify.storage.leases import Lease
from services.runtime.context import ServiceContext
from services.runtime.lifecycle import first_failure, wait
from services.runtime.looking import DueEvent

LOOK_SECONDS = 0.25
"""How often it is looked for what another replica has queued, or what was deferred and is due; one's own rings."""
AHEAD = 2
"""Leased deliveries per call at a time: enough that no caller waits for the database."""
AHEAD_SHARE = 0.25
"""Of the time that a lease leaves to a call: no more is leased than has its turn in it, and no lease is outlived."""
TURN_SECONDS = 0.25
"""How long at most a turn is waited for before the pace is asked anew: it may have risen."""
STOP_SHARE = 0.5
"""What calls in progress may take of the time for an orderly stop; what is cut is looked up later."""


async def dispatch(context: ServiceContext, queued: DueEvent) -> None:
    """Send what is due until told to stop."""
    settings = context.settings_as(NotifySettings)
    async with open_sender(settings) as sender:
        await Dispatcher(context, settings, sender, queued).run()


@dataclass(slots=True)
class Dispatcher:
    """The dispatcher of one process."""

    context: ServiceContext
    settings: NotifySettings
    sender: HttpSender | None
    queued: DueEvent
    """Set when something may be due or a caller is free."""
    leased: asyncio.Queue[Lease | None] = field(default_factory=asyncio.Queue)
    called: asyncio.Queue[tuple[Lease, Outcome] | None] = field(default_factory=asyncio.Queue)
    in_hand: int = 0
    pace: Pace = field(default_factory=Pace)
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    not_before: datetime | None = None
    """The provider asked for a pause: nobody calls before; what goes to gateways is none of its business."""

    async def run(self) -> None:
        """Lease, call and record until told to stop; a failure of one ends all."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._record(), name="sms-record")
                callers = [group.create_task(self._call(), name="sms-call") for _ in range(self.settings.sms_calls_max)]
                await self._lease()
                for _ in callers:
                    self.leased.put_nowait(None)
                _, late = await asyncio.wait(callers, timeout=self.settings.stop_seconds * STOP_SHARE)
                for caller in late:
                    caller.cancel()
                self.called.put_nowait(None)
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None

    async def _lease(self) -> None:
        while not self.context.stopping.is_set():
            self.queued.clear()
            room = self._in_hand_max - self.in_hand
            if room <= 0 or await self._take(room) < room:
                await wait(self.queued, LOOK_SECONDS)

    @property
    def _in_hand_max(self) -> int:
        callers = self.settings.sms_calls_max * AHEAD
        if self.pace.per_second is None:
            return callers
        spare = self.settings.sms_lease_seconds - self.settings.sms_timeout_seconds
        return min(callers, ceil(self.pace.per_second * spare * AHEAD_SHARE))

    async def _take(self, limit: int) -> int:
        now = self.context.clock.now()
        paused = self.not_before is not None and now < self.not_before
        until = now + timedelta(seconds=self.settings.sms_lease_seconds)
        since = self.queued.looks.since(now)
        taken = await leases.take(self.context.pool, now, until, limit, since=since, without_sms=paused)
        if len(taken) < limit and not paused:
            self.queued.looks.seen(now)
        self.in_hand += len(taken)
        for lease in taken:
            self.leased.put_nowait(lease)
        return len(taken)

    @property
    def _longest_call(self) -> timedelta:
        """Return what must be left of a lease: a call may not outlive it, or somebody else looks up too early."""
        return timedelta(seconds=self.settings.sms_timeout_seconds)

    async def _call(self) -> None:
        while (lease := await self.leased.get()) is not None:
            outcome = await self._outcome(lease)
            if lease.channel == "sms":
                metrics.SMS_CALLS.labels(outcome=type(outcome).__name__.lower()).inc()
            self.called.put_nowait((lease, outcome))

    async def _outcome(self, lease: Lease) -> Outcome:
        """Return what became of a lease: handed over, sent, or looked up."""
        now = self.context.clock.now()
        if lease.was == "queued" and lease.expires_at <= now:
            return Refused("expired")
        if lease.request is not None:
            return Refused("unreadable") if request_of(lease) is None else Accepted(None)
        if self.sender is None:
            return Refused("no_provider")
        if lease.was != "queued":
            return await self.sender.look_up(lease.delivery_id) if self._in_time(lease) else Untouched()
        return await self._sent(lease, self.sender)

    def _in_time(self, lease: Lease) -> bool:
        return not self.context.stopping.is_set() and self.context.clock.now() + self._longest_call <= lease.lease_until

    async def _sent(self, lease: Lease, sender: HttpSender) -> Outcome:
        """Offer a message when its turn has come."""
        clock = asyncio.get_running_loop().time
        if not await self._turn(lease):
            return Untouched()
        outcome = await sender.send(lease.delivery_id, lease.recipient, lease.body, lease.traceparent)
        self.pace.answered(clock(), refused=isinstance(outcome, Postponed))
        if isinstance(outcome, Postponed) and outcome.retry_after_seconds:
            self.not_before = self.context.clock.now() + timedelta(seconds=outcome.retry_after_seconds)
        return outcome

    async def _turn(self, lease: Lease) -> bool:
        """Wait for a turn, one behind the other; tells whether it came while the lease leaves time for a call."""
        async with self._turns:
            while self._in_time(lease):
                seconds = self.pace.turn(asyncio.get_running_loop().time())
                if not seconds:
                    return True
                await wait(self.context.stopping, min(seconds, TURN_SECONDS))
            return False

    async def _record(self) -> None:
        while (first := await self.called.get()) is not None:
            batch, ended = [first], False
            while not self.called.empty():
                more = self.called.get_nowait()
                if more is None:
                    ended = True
                else:
                    batch.append(more)
            began = self.context.clock.now()
            await self._write(batch)
            self.in_hand -= len(batch)
            self.queued.ring(began)
            if ended:
                return

    async def _write(self, batch: list[tuple[Lease, Outcome]]) -> None:
        """Write the outcomes down and say what is new, in one transaction."""
        await self.context.transact(partial(record, batch, self.settings, self.context.policy))
