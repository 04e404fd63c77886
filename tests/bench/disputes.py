"""How does a customers' dispute go, from the complaint to the close, with promises, a call back and three SMS?

The customer complains; the desk promises a time and a call back, and tells by SMS of three milestones, one after the
other. Every second promise is kept; of the others the timer runs out. Somebody makes the call when it is due. Then the
case is resolved, confirmed and closed.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from contracts.message import derived_id
from tests.support.driver import Driver

COMPLAINT = "I want to complain: my order was charged twice, I am very angry and I want my money back"
MILESTONES = ("fix_deployed", "refund_issued", "compensation_granted")
"""The driver reaches the first itself."""
PROMISED_SECONDS = 4.0
CALL_SECONDS = 2.0
REPORT_SECONDS = 3.0
"""From the moment of a call until somebody reports how it went: beyond what the firing of its timer may take."""
TICK_SECONDS = 0.05


@dataclass(slots=True)
class Disputes:
    """Goes on with every case of a driver that begins disputes and does not close."""

    driver: Driver
    ends: Counter[str] = field(default_factory=Counter)
    """How often each kind of thing came to its end."""
    _left: dict[str, set[str]] = field(default_factory=dict)
    """What must still happen before a case is resolved."""
    _calls: deque[tuple[datetime, str]] = field(default_factory=deque)

    async def heard(self, kind: str, case_id: str, value: bytes) -> None:
        """Do what follows from this event of the journal."""
        match kind:
            case "assigned" if case_id not in self._left:
                self._left[case_id] = {*MILESTONES, "callback", "promise"}
                await self._began(case_id)
            case "callback_scheduled":
                self._due(orjson.loads(value))
            case "callback_completed":
                await self._over(case_id, "callback")
            case "promise_kept" | "promise_breached":
                self.ends[kind] += 1
                await self._over(case_id, "promise")
            case "customer_notified":
                await self._told(case_id, orjson.loads(value).get("milestone"))

    async def call(self) -> None:
        """Report on the calls that are due, until cancelled."""
        while True:
            while self._calls and self._calls[0][0] <= datetime.now(UTC):
                at, callback_id = self._calls.popleft()
                said = {
                    "callback_id": callback_id,
                    "attempt": 1,
                    "outcome": "answered",
                    "solved": True,
                    "at": _text(at),
                }
                await self.driver.send("channel.receipts", callback_id, "caseloop.receipt.call_reported.v1", said)
            await asyncio.sleep(TICK_SECONDS)

    async def _began(self, case_id: str) -> None:
        now = datetime.now(UTC)
        due = _text(now + timedelta(seconds=PROMISED_SECONDS))
        at = _text(now + timedelta(seconds=CALL_SECONDS))
        await self.driver.command("make_promise", case_id, promise_id=_promise(case_id), what="a refund", due_at=due)
        await self.driver.command("schedule_callback", case_id, purpose="requested", at=at)

    def _due(self, scheduled: Mapping[str, Any]) -> None:
        if scheduled["purpose"] == "requested":
            at = datetime.now(UTC) + timedelta(seconds=REPORT_SECONDS)
            self._calls.append((at, scheduled["callback_id"]))

    async def _told(self, case_id: str, milestone: str | None) -> None:
        if milestone not in MILESTONES:
            return
        following = MILESTONES.index(milestone) + 1
        if following < len(MILESTONES):
            await self.driver.command("reach_milestone", case_id, milestone=MILESTONES[following], details={})
        elif _is_kept(case_id):
            await self.driver.command("keep_promise", case_id, promise_id=_promise(case_id))
        await self._over(case_id, milestone)

    async def _over(self, case_id: str, what: str) -> None:
        left = self._left[case_id]
        if what not in left:
            return
        left.discard(what)
        self.ends[what] += 1
        if not left:
            await self.driver.command("resolve", case_id, resolution="the money was paid back")


def _promise(case_id: str) -> str:
    return str(derived_id("dispute", case_id))


def _is_kept(case_id: str) -> bool:
    return int(case_id[-1], 16) % 2 == 0


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
