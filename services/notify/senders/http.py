"""How is an SMS provider called over HTTP, and what does its answer mean?

What the answer does not prove is ``Unclear``: a call that was cut or timed out after it left, a server error. What
proves that nothing was taken (no connection, 429, 503) is ``Postponed``. The delivery id goes along as
``client_reference``, under which the provider recognises a repeat and can be asked.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from services.notify import metrics
from services.notify.domain.outcomes import Absent, Accepted, Outcome, Postponed, Refused, Unclear
from services.notify.settings import NotifySettings

ANSWER_BYTES_MAX = 65_536
RETRY_AFTER_MAX = 86_400.0
CONNECT_SECONDS_MAX = 5.0
KEPT_SECONDS = 30.0
"""An idle connection is kept no longer: less than most providers keep theirs, so that few calls meet a closed one."""
_CUT = (aiohttp.ClientError, TimeoutError)
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_BUSY = frozenset({429, 503})
_LATER = frozenset({408, 425})
_JSON = {"content-type": "application/json"}


class HttpSender:
    """The generic adapter: ``POST /messages`` sends, ``GET /messages?client_reference=`` looks up."""

    def __init__(self, session: aiohttp.ClientSession, messages: str, sender: str, seconds: float) -> None:
        """Call this address in the name of this sender; a whole call takes no longer than ``seconds``."""
        self._session = session
        self._messages = messages
        self._sender = sender
        self._seconds = seconds

    async def send(self, delivery_id: UUID, to: str, text: str, traceparent: str | None) -> Outcome:
        """Offer a message to the provider, once: the client repeats no ``POST`` by itself."""
        message = {"to": to, "text": text, "sender": self._sender, "client_reference": str(delivery_id)}
        headers = {**_JSON, "traceparent": traceparent} if traceparent else _JSON
        try:
            with metrics.SMS_SECONDS.time():
                status, answer, after = await self._call("POST", data=orjson.dumps(message), headers=headers)
        except _NOT_SENT:
            return Postponed("not_connected")
        except _CUT as problem:
            return Unclear(_reason(problem))
        return _meaning(status, answer, after)

    async def look_up(self, delivery_id: UUID) -> Outcome:
        """Ask whether the provider has this message: ``Accepted``, ``Absent`` (proven), else ``Unclear``."""
        reference = str(delivery_id)
        try:
            status, answer, _ = await self._call("GET", params={"client_reference": reference})
        except _CUT as problem:
            return Unclear(_reason(problem))
        found = _found(answer) if status == HTTPStatus.OK else None
        if found is None:
            return Unclear(f"lookup_http_{status}")
        mine = [each for each in found if isinstance(each, dict) and each.get("client_reference") == reference]
        return Accepted(_ref(mine[0])) if mine else Absent()

    async def _call(self, method: str, **request: Any) -> tuple[int, object, float | None]:  # noqa: ANN401 - aiohttp's
        calling = self._session.request(method, self._messages, allow_redirects=False, **request)
        async with asyncio.timeout(self._seconds), calling as response:
            body = bytearray()
            while len(body) <= ANSWER_BYTES_MAX and (chunk := await response.content.readany()):
                body += chunk
            return response.status, _json(bytes(body)), _seconds(response.headers.get("retry-after"))


@asynccontextmanager
async def open_sender(settings: NotifySettings) -> AsyncIterator[HttpSender | None]:
    """Give the adapter of the configured provider with connections that stay open, or ``None`` without one."""
    if settings.sms_url is None:
        yield None
        return
    token = settings.sms_token
    headers = {"user-agent": "caseloop"} | ({"authorization": f"Bearer {token.get_secret_value()}"} if token else {})
    connector = aiohttp.TCPConnector(
        limit=settings.sms_calls_max,
        keepalive_timeout=KEPT_SECONDS,
        ssl=ssl.create_default_context() if settings.sms_url.startswith("https") else True,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        skip_auto_headers=("accept-encoding",),
        timeout=aiohttp.ClientTimeout(total=None, connect=min(CONNECT_SECONDS_MAX, settings.sms_timeout_seconds)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        messages = settings.sms_url.rstrip("/") + "/messages"
        yield HttpSender(session, messages, settings.sms_sender, settings.sms_timeout_seconds)


def _reason(problem: Exception) -> str:
    return "timed_out" if isinstance(problem, TimeoutError) else "cut"


def _meaning(status: int, answer: object, retry_after: float | None) -> Outcome:
    kind = status // 100
    if kind == 2:  # noqa: PLR2004 - the class of success
        return Accepted(_ref(answer)) if isinstance(answer, dict) else Unclear("answer_unreadable")
    if status in _BUSY or (kind == 5 and retry_after is not None):  # noqa: PLR2004 - the class of server errors
        return Postponed(f"http_{status}", retry_after)
    if status in _LATER or kind in {1, 5}:
        return Unclear(f"http_{status}")
    return Refused(f"http_{status}")


def _ref(answer: dict[str, Any]) -> str | None:
    """Return the provider's reference, if we can keep it: PostgreSQL has no text with a NUL character."""
    ref = answer.get("provider_ref")
    return ref[:255] if isinstance(ref, str) and ref and "\0" not in ref else None


def _found(answer: object) -> list[Any] | None:
    """Return the messages of a look-up, bare or under ``messages``."""
    inner = answer.get("messages") if isinstance(answer, dict) else answer
    return inner if isinstance(inner, list) else None


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _seconds(value: str | None) -> float | None:
    """Return a ``Retry-After`` in seconds; the date form, which no SMS provider we know uses, counts as a minute."""
    if value is None:
        return None
    plain = value.isascii() and value.strip().isdigit()  # a superscript two is a digit too, and no number
    return min(float(value), RETRY_AFTER_MAX) if plain else 60.0
