"""How do a provider's receipts reach ``channel.receipts``?

``POST /providers/{name}/receipts`` answers 202 only after Kafka has acknowledged; until then the provider repeats. The
event's id is derived from provider, reference and status, so a repeated receipt changes nothing.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from contracts.channel import DeliveryReported
from contracts.message import derived_id
from contracts.values import Moment, Ref
from services.notify.channels.signature import is_genuine, keys_of
from services.notify.settings import NotifySettings
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

    async def receive(request: Request) -> Response:
        if request.path_params["name"] != settings.sms_provider:
            return _answer(404, "no such provider")
        body = await _body(request)
        if body is None:
            return _answer(413, f"a receipt has at most {BODY_BYTES_MAX} bytes")
        if not is_genuine(request.headers, body, keys, context.clock.now()):
            return _answer(401, "the signature is not valid")
        return await _store(context, settings.sms_provider, body)

    return [Route("/providers/{name}/receipts", receive, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """Return the body, or ``None`` when it is too large; never reads more than that."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


async def _store(context: ServiceContext, provider: str, body: bytes) -> Response:
    try:
        receipt = Receipt.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _answer(400, f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['type']}")
    report = DeliveryReported(
        delivery_id=_uuid(receipt.client_reference),
        provider=provider,
        provider_ref=receipt.provider_ref,
        status=receipt.status,
        reason=receipt.reason,
        at=receipt.at,
    )
    identity = derived_id("receipt", provider, receipt.provider_ref, receipt.status)
    try:
        await context.publish([Outgoing(report, identity)])
    except (TransientError, MessageTooLargeError):
        return JSONResponse({"error": "not stored, repeat"}, 503, headers={"retry-after": str(RETRY_SECONDS)})
    return JSONResponse({"stored": True}, 202)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _answer(status: int, problem: str) -> Response:
    return JSONResponse({"error": problem}, status)
