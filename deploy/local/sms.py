"""Which SMS provider is there when none is configured? A local double that speaks the protocol and sends nothing.

``python -m deploy.local.sms --port 0`` prints one JSON line with its address and serves until SIGTERM:

* ``POST /messages`` accepts a message, once per ``client_reference``;
* ``GET /messages`` shows what was accepted and when, all or one ``client_reference``;
* ``POST /behaviour`` makes it misbehave.

Receipts go, signed by the Standard Webhooks library, to ``--receipts-url`` (or ``receipts_url`` of ``/behaviour``).
"""

import argparse
import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.sms_receipts import Reporter, Status

HANG_SECONDS = 3600.0


class Message(BaseModel):
    """What a sender asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    to: str = Field(min_length=1, max_length=32)
    text: str = Field(min_length=1, max_length=2000)
    sender: str = Field(max_length=64)
    client_reference: str = Field(min_length=1, max_length=255)


class Behaviour(BaseModel):
    """How the double behaves from now on; what is not given is in good order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay_seconds: float = Field(0.0, ge=0, le=600)
    """Before every answer."""
    accept_then_hang: bool = False
    """Messages are accepted, but the answer never comes."""
    fail_status: int | None = Field(None, ge=400, le=599)
    """Nothing is accepted; every sender gets this status."""
    retry_after_seconds: int | None = Field(None, ge=0, le=86_400)
    """With ``fail_status``: the header Retry-After."""
    receipts: Literal["delivered", "failed", "none"] = "delivered"
    duplicate_receipts: bool = False
    receipts_url: str | None = None
    """Where receipts go; kept when not given."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that a real provider would have sent."""

    provider_ref: str
    client_reference: str
    to: str
    text: str
    sender: str
    accepted_at: str


@dataclass(slots=True)
class Provider:
    """All that the double remembers; with a log file it also remembers it over a restart."""

    reporter: Reporter
    log: Path | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    accepted: dict[str, Accepted] = field(default_factory=dict)

    def read_log(self) -> None:
        """Remember what an earlier process accepted; a last line that was cut off is forgotten."""
        if self.log is None or not self.log.exists():
            return
        for line in self.log.read_text("utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                known = Accepted(**json.loads(line))
                self.accepted[known.client_reference] = known

    def accept(self, message: Message) -> tuple[Accepted, bool]:
        """Return the accepted message and whether it is new."""
        known = self.accepted.get(message.client_reference)
        if known is not None:
            return known, False
        ref = str(uuid5(NAMESPACE_URL, f"caseloop:local-sms:{message.client_reference}"))
        new = Accepted(ref, message.client_reference, message.to, message.text, message.sender, _now())
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(new), ensure_ascii=False) + "\n")
        self.accepted[message.client_reference] = new
        return new, True

    async def post_message(self, request: Request) -> Response:
        """Accept a message, or misbehave as told."""
        try:
            message = Message.model_validate_json(await request.body())
        except ValidationError as error:
            return _refusal(error)
        behaviour = self.behaviour
        if behaviour.delay_seconds:
            await asyncio.sleep(behaviour.delay_seconds)
        if behaviour.fail_status is not None:
            after = behaviour.retry_after_seconds
            headers = {} if after is None else {"retry-after": str(after)}
            return JSONResponse({"error": "as told"}, behaviour.fail_status, headers=headers)
        accepted, new = self.accept(message)
        if new:
            self._report(accepted, behaviour)
        if behaviour.accept_then_hang:
            await asyncio.sleep(HANG_SECONDS)
        return JSONResponse({"provider_ref": accepted.provider_ref}, 202)

    def _report(self, accepted: Accepted, behaviour: Behaviour) -> None:
        if behaviour.receipts == "none":
            return
        status: Status = behaviour.receipts
        for _ in range(2 if behaviour.duplicate_receipts else 1):
            self.reporter.report(accepted.provider_ref, accepted.client_reference, status, _now())

    async def get_messages(self, request: Request) -> Response:
        """Show what was accepted, oldest first."""
        wanted = request.query_params.get("client_reference")
        if wanted is None:
            found = list(self.accepted.values())
        else:
            found = [self.accepted[wanted]] if wanted in self.accepted else []
        return JSONResponse({"messages": [asdict(each) for each in found]})

    async def post_behaviour(self, request: Request) -> Response:
        """Behave differently from now on."""
        try:
            self.behaviour = Behaviour.model_validate_json(await request.body())
        except ValidationError as error:
            return _refusal(error)
        if self.behaviour.receipts_url is not None:
            self.reporter.url = self.behaviour.receipts_url
        return JSONResponse(self.behaviour.model_dump() | {"receipts_url": self.reporter.url})

    async def live(self, _request: Request) -> Response:
        """Say that the double is there."""
        return JSONResponse({"live": True, "accepted": len(self.accepted), "receipts_failed": self.reporter.failed})


def application(provider: Provider) -> Starlette:
    """Return the double as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with provider.reporter.running():
            yield

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/messages", provider.post_message, methods=["POST"]),
            Route("/messages", provider.get_messages, methods=["GET"]),
            Route("/behaviour", provider.post_behaviour, methods=["POST"]),
            Route("/health/live", provider.live, methods=["GET"]),
        ],
    )


def main(words: list[str] | None = None) -> None:
    """Announce the address on one line and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.sms", description="A local SMS provider double.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--receipts-url", help="notify's provider edge: http://.../providers/sms/receipts")
    parser.add_argument("--secret-file", type=Path, help="file with the secret (whsec_...) that signs receipts")
    parser.add_argument("--log", type=Path, help="file that keeps what was accepted over a restart")
    given = parser.parse_args(words)
    secret = given.secret_file.read_text("utf-8").split()[0] if given.secret_file else None
    provider = Provider(Reporter(url=given.receipts_url, secret=secret), given.log)
    provider.read_log()
    listening = socket.create_server((given.host, given.port), backlog=512)
    host, port = listening.getsockname()[:2]
    sys.stdout.write(json.dumps({"provider": "sms", "port": port, "url": f"http://{host}:{port}"}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        application(provider),
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _refusal(error: ValidationError) -> Response:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "body"
    return JSONResponse({"error": f"{where}: {first['msg']}"}, 400)


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    main()
