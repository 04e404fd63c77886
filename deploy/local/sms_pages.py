"""How does the local SMS provider answer over HTTP at little cost?

As a bare ASGI application: the double shares the machine with what is measured beside it.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks for."""

    body: bytes
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int
    content: object
    retry_after_seconds: int | None = None


Page = Callable[[Ask], Awaitable[Answer]]


class Pages:
    """Pages by method and path."""

    def __init__(self, pages: Mapping[tuple[str, str], Page]) -> None:
        """Answer these and no others."""
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        page = self._pages.get((scope["method"], scope["path"]))
        body = await _body(receive)
        if page is None:
            answer = Answer(404, {"error": "no such page"})
        else:
            answer = await page(Ask(body, dict(parse_qsl(scope["query_string"].decode("latin-1")))))
        content = orjson.dumps(answer.content)
        headers = [_JSON, (b"content-length", b"%d" % len(content))]
        if answer.retry_after_seconds is not None:
            headers.append((b"retry-after", b"%d" % answer.retry_after_seconds))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
