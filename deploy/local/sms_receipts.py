"""How does the local SMS provider tell what became of a message? Signed, late, again if need be: as real ones do."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import orjson
from standardwebhooks.webhooks import Webhook

Status = Literal["delivered", "failed"]
ATTEMPTS_MAX = 8
REPORTERS = 16
RETRY_SECONDS_FIRST = 0.25
SUCCESS = 2
"""The hundreds of an HTTP status that says so."""


@dataclass(frozen=True, slots=True)
class _Receipt:
    message_id: str
    body: str


@dataclass(slots=True)
class Reporter:
    """Sends receipts to notify's provider edge until it says 2xx, a few times."""

    url: str | None = None
    secret: str | None = None
    failed: int = 0
    """Receipts given up, shown by ``/health/live``."""
    _waiting: asyncio.Queue[_Receipt] = field(default_factory=asyncio.Queue)

    def report(self, provider_ref: str, client_reference: str, status: Status, at: str) -> None:
        """Send a receipt as soon as possible; without an address there is nobody to tell."""
        if self.url is None or self.secret is None:
            return
        receipt = {"provider_ref": provider_ref, "client_reference": client_reference, "status": status, "at": at}
        if status == "failed":
            receipt["reason"] = "as told"
        identity = str(uuid5(NAMESPACE_URL, f"caseloop:local-sms:{provider_ref}:{status}"))
        self._waiting.put_nowait(_Receipt(identity, orjson.dumps(receipt).decode()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Report while the block runs."""
        client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=REPORTERS, ssl=False),
            timeout=aiohttp.ClientTimeout(total=10.0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with client, asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(client), name="receipts") for _ in range(REPORTERS)]
            yield
            for worker in workers:
                worker.cancel()

    async def _work(self, client: aiohttp.ClientSession) -> None:
        while True:
            await self._deliver(client, await self._waiting.get())

    async def _deliver(self, client: aiohttp.ClientSession, receipt: _Receipt) -> None:
        pause = RETRY_SECONDS_FIRST
        for _ in range(ATTEMPTS_MAX):
            if await self._told(client, receipt):
                return
            await asyncio.sleep(pause)
            pause *= 2
        self.failed += 1

    async def _told(self, client: aiohttp.ClientSession, receipt: _Receipt) -> bool:
        """Tell whether the edge took it; the signature is made anew, since its time must be fresh."""
        if self.url is None or self.secret is None:
            return True
        now = datetime.fromtimestamp(time.time(), UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": receipt.message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": _signer(self.secret).sign(receipt.message_id, now, receipt.body),
        }
        try:
            body = receipt.body.encode()
            async with client.post(self.url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status // 100 == SUCCESS
        except (aiohttp.ClientError, TimeoutError):
            return False


@lru_cache(maxsize=8)
def _signer(secret: str) -> Webhook:
    return Webhook(secret)
