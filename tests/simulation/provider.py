"""How does an SMS provider behave, good days and bad, and what has it accepted?

It speaks to notify where the HTTP client would: status, answer, ``Retry-After``, or no answer at all. It accepts a
message once per client reference, as providers do; that it was offered again after it had accepted is kept, for nobody
may offer blindly what may have been accepted.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from contracts.channel import DeliveryReported
from contracts.message import derived_id
from services.notify.senders.http import HttpSender
from tests.simulation.outside import Outside
from tests.simulation.store import Owner
from tests.simulation.world import World

NAME = "sms"
Answer = tuple[int, object, float | None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that went out."""

    reference: str
    to: str
    text: str
    second: float


@dataclass(slots=True)
class Provider:
    """The provider of one run."""

    world: World
    outside: Outside
    accepted: dict[str, Accepted] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    """References that were offered once more after they had been accepted."""
    late: set[str] = field(default_factory=set)
    """References whose request was still on its way when its sender gave up."""

    async def call(self, method: str, request: dict[str, Any], timeout_seconds: float) -> Answer:
        """Answer one call, or raise what the HTTP client would raise."""
        faults = self.world.faults
        await self.world.pause(faults.seconds(0.02, 2.0))
        if faults.strikes("provider_busy"):
            return 429, None, float(self.world.chance.choice((1, 5, 60)))
        if faults.strikes("provider_broken"):
            return 500, None, None
        if method == "GET":
            return self._found(request["params"]["client_reference"])
        message = orjson.loads(request["data"])
        if faults.strikes("provider_lost"):
            await self.world.pause(timeout_seconds)
            raise TimeoutError
        if faults.strikes("provider_late"):
            self.late.add(message["client_reference"])
            self.world.after(faults.seconds(1.0, 60.0), partial(self._accept, message))
            raise aiohttp.ServerDisconnectedError
        self._accept(message)
        if faults.strikes("provider_unanswered"):
            await self.world.pause(timeout_seconds)
            raise TimeoutError
        return 202, {"provider_ref": f"p-{message['client_reference']}"}, None

    def _found(self, reference: str) -> Answer:
        known = self.accepted.get(reference)
        found = [{"client_reference": reference, "provider_ref": f"p-{reference}"}] if known else []
        return 200, {"messages": found}, None

    def _accept(self, message: dict[str, str]) -> None:
        reference = message["client_reference"]
        if reference not in self.accepted:
            self.accepted[reference] = Accepted(reference, message["to"], message["text"], self.world.loop.time())
            self.world.after(self.world.faults.seconds(0.5, 120.0), lambda: self._report(reference))
        elif reference not in self.late:
            self.again.append(reference)

    def _report(self, reference: str) -> None:
        status = "delivered" if self.world.chance.random() < 0.95 else "failed"
        known = UUID(reference) if self.world.chance.random() < 0.5 else None
        report = DeliveryReported(
            delivery_id=known,
            provider=NAME,
            provider_ref=f"p-{reference}",
            status="failed" if status == "failed" else "delivered",
            at=self.world.now(),
        )
        identity = str(derived_id("receipt", NAME, reference, status))
        copies = 2 if self.world.faults.strikes("receipt_again") else 1
        for _ in range(copies):
            self.outside.say(report, identity)


class SimulatedSender(HttpSender):
    """notify's own adapter, down to where it would open a connection."""

    def __init__(self, provider: Provider, owner: Owner, seconds: float) -> None:
        """Call this provider in the name of this process."""
        self._provider = provider
        self._owner = owner
        self._sender = "caseloop"
        self._seconds = seconds

    async def _call(self, method: str, **request: Any) -> Answer:  # noqa: ANN401 - as the adapter says it
        self._owner.point()
        answer = await self._provider.call(method, request, self._seconds)
        self._owner.point()
        return answer
