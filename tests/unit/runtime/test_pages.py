"""Does the page that tells whether a service is ready ask everybody at once?"""

import asyncio

import httpx

from services.runtime import http


async def test_warnings_do_not_wait_for_checks() -> None:
    """Whoever asks has little patience: with a server that hangs, one after the other would take twice as long."""
    met = asyncio.Barrier(2)

    async def meets() -> str | None:
        await met.wait()
        return None

    transport = httpx.ASGITransport(http.application({"check": meets}, {"warning": meets}))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/health/ready")

    assert answer.json() == {"ready": True, "checks": {"check": "ok"}, "warnings": {}}
