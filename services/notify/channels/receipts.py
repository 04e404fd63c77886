"""How do a provider's receipts reach ``channel.receipts``?

``POST /providers/{name}/receipts`` answers 202 only after Kafka has acknowledged; until then the provider repeats. The
event's id is derived from provider, reference and status, so a repeated receipt changes nothing.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from contracts.channel import DeliveryReported
from contracts.message import derived_id
from contracts.values import Moment, Ref
from services.notify.channels.signature import is_genuine, keys_of
from services.notify.channels.together import Together
from services.notify.settings import NotifySettings
from services.runtime.clock import Clock
from services.runtime.context import ServiceContext
from services.runtime.errors import MessageTooLargeError, TransientError
from services.runtime.work import Outgoing

BODY_BYTES_MAX = 16_384
RETRY_SECONDS = 5


class Receipt(BaseModel):
    """What a provider says became of a message; more fields than these are none of our business."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider_ref: Ref
    client_reference: Annotated[str, Field(max_length=255)] | None = None
    """Our delivery id, if the provider repeats it."""
    status: Literal["accepted", "sent", "delivered", "read", "failed", "undelivered"]
    reason: Annotated[str, Field(max_length=500)] | None = None
    at: Moment


def routes(context: ServiceContext) -> list[BaseRoute]:
    """Return the provider edge."""
    settings = context.settings_as(NotifySettings)
    secret = settings.provider_secret
    keys = keys_of(secret.get_secret_value()) if secret is not None else ()
    edge = ProviderEdge(settings.sms_provider, keys, context.clock, Together(context.publish))
    return [Route("/providers/{name}/receipts", edge, methods=["POST"])]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content: object
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderEdge:
    """Takes receipts of one provider; a bare ASGI application, since one comes for every SMS."""

    provider: str
    keys: tuple[bytes, ...] = field(repr=False)
    clock: Clock
    together: Together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer(scope, receive)
        content = orjson.dumps(answer.content)
        length = (b"content-length", b"%d" % len(content))
        headers = [(b"content-type", b"application/json"), length, *answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        if scope["path_params"]["name"] != self.provider:
            return _refusal(404, "no such provider")
        body = await _body(receive)
        if body is None:
            return _refusal(413, f"a receipt has at most {BODY_BYTES_MAX} bytes")
        if not is_genuine(Headers(scope=scope), body, self.keys, self.clock.now()):
            return _refusal(401, "the signature is not valid")
        return await self._store(body)

    async def _store(self, body: bytes) -> _Answer:
        try:
            receipt = Receipt.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return _refusal(400, f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['type']}")
        report = DeliveryReported(
            delivery_id=_uuid(receipt.client_reference),
            provider=self.provider,
            provider_ref=receipt.provider_ref,
            status=receipt.status,
            reason=receipt.reason,
            at=receipt.at,
        )
        identity = derived_id("receipt", self.provider, receipt.provider_ref, receipt.status)
        try:
            await self.together.publish(Outgoing(report, identity))
        except (TransientError, MessageTooLargeError):
            return _Answer(503, {"error": "not stored, repeat"}, ((b"retry-after", b"%d" % RETRY_SECONDS),))
        return _Answer(202, {"stored": True})


async def _body(receive: Receive) -> bytes | None:
    """Return the body, or ``None`` when it is too large; never reads more than that. Nothing, when the caller left."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        more = message.get("more_body", False)
    return body


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _refusal(status: int, problem: str) -> _Answer:
    return _Answer(status, {"error": problem})
