"""How do receipts that arrive together reach Kafka in one go, each answered only after the brokers' acks?

One publish at a time: what comes while it is under way waits for the next and shares it. Nobody waits for company.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.runtime.errors import TransientError
from services.runtime.work import Outgoing

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


@dataclass(slots=True)
class _Company:
    """What goes in one publish, and how that ended; ``None``: it has not begun."""

    said: list[Outgoing] = field(default_factory=list)
    arrived: bool | None = None


class Together:
    """Publishes for many callers at once."""

    def __init__(self, publish: Publish) -> None:
        """Publish through this; it returns after the acks, or says with ``TransientError`` that it cannot be sure."""
        self._publish = publish
        self._turn = asyncio.Lock()
        self._next = _Company()

    async def publish(self, said: Outgoing) -> None:
        """Return after the acks; ``TransientError`` when this message is not known to have arrived."""
        company = self._next
        company.said.append(said)
        async with self._turn:
            if company.arrived is None:
                self._next = _Company()
                company.arrived = False
                await self._publish(company.said)
                company.arrived = True
        if not company.arrived:
            raise TransientError("the publish that it shared did not end well")
