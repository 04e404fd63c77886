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
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import orjson
import uvicorn
import uvloop
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.local.sms_pages import Answer, Ask, Pages
from deploy.local.sms_receipts import Reporter, Status
from deploy.local.sms_trouble import Fate, Trouble

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
    per_second: float | None = Field(None, gt=0, le=100_000)
    """What is above gets 429; a tenth of a second's worth may come at once."""
    refused_share: float = Field(0.0, ge=0, le=1)
    """Of the calls, whatever their number: 429."""
    hanging_share: float = Field(0.0, ge=0, le=1)
    """Of the calls: the answer never comes; half of these messages were accepted."""
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
    log: FileIO | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    accepted: dict[str, Accepted] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)
    repeated: int = 0
    """Messages offered again after they were accepted, shown by ``/health/live``."""

    def read_log(self) -> None:
        """Remember what an earlier process accepted; a last line that was cut off is cut out."""
        if self.log is None:
            return
        self.log.seek(0)
        lines = self.log.readall().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        self.log.truncate(sum(map(len, whole)))
        for line in whole:
            known = Accepted(**orjson.loads(line))
            self.accepted[known.client_reference] = known

    def accept(self, message: Message) -> tuple[Accepted, bool]:
        """Return the accepted message and whether it is new."""
        known = self.accepted.get(message.client_reference)
        if known is not None:
            return known, False
        ref = str(uuid5(NAMESPACE_URL, f"caseloop:local-sms:{message.client_reference}"))
        new = Accepted(ref, message.client_reference, message.to, message.text, message.sender, _now())
        if self.log is not None:
            self.log.write(orjson.dumps(new, option=orjson.OPT_APPEND_NEWLINE))
        self.accepted[message.client_reference] = new
        return new, True

    async def post_message(self, ask: Ask) -> Answer:
        """Accept a message, or misbehave as told."""
        try:
            message = Message.model_validate_json(ask.body)
        except ValidationError as error:
            return _refusal(error)
        behaviour = self.behaviour
        if behaviour.delay_seconds:
            await asyncio.sleep(behaviour.delay_seconds)
        if behaviour.fail_status is not None:
            after = behaviour.retry_after_seconds
            return Answer(behaviour.fail_status, {"error": "as told"}, after)
        fate = self.trouble.fate(message.client_reference, behaviour)
        if fate == "refused":
            return Answer(429, {"error": "too many messages"})
        return await self._take(message, fate, behaviour)

    async def _take(self, message: Message, fate: Fate, behaviour: Behaviour) -> Answer:
        if fate == "lost":
            return await _never()
        accepted, new = self.accept(message)
        self.repeated += not new
        if new:
            self._report(accepted, behaviour)
        if behaviour.accept_then_hang or fate == "unanswered":
            return await _never()
        return Answer(202, {"provider_ref": accepted.provider_ref})

    def _report(self, accepted: Accepted, behaviour: Behaviour) -> None:
        if behaviour.receipts == "none":
            return
        status: Status = behaviour.receipts
        for _ in range(2 if behaviour.duplicate_receipts else 1):
            self.reporter.report(accepted.provider_ref, accepted.client_reference, status, _now())

    async def get_messages(self, ask: Ask) -> Answer:
        """Show what was accepted, oldest first."""
        wanted = ask.query.get("client_reference")
        if wanted is None:
            found = list(self.accepted.values())
        else:
            found = [self.accepted[wanted]] if wanted in self.accepted else []
        return Answer(200, {"messages": found})

    async def post_behaviour(self, ask: Ask) -> Answer:
        """Behave differently from now on."""
        try:
            self.behaviour = Behaviour.model_validate_json(ask.body)
        except ValidationError as error:
            return _refusal(error)
        if self.behaviour.receipts_url is not None:
            self.reporter.url = self.behaviour.receipts_url
        return Answer(200, self.behaviour.model_dump() | {"receipts_url": self.reporter.url})

    async def live(self, _ask: Ask) -> Answer:
        """Say that the double is there."""
        told = {"accepted": len(self.accepted), "repeated": self.repeated, "receipts_failed": self.reporter.failed}
        return Answer(200, {"live": True, **told})

    @property
    def pages(self) -> Pages:
        """Return the double as an ASGI application."""
        return Pages({
            ("POST", "/messages"): self.post_message,
            ("GET", "/messages"): self.get_messages,
            ("POST", "/behaviour"): self.post_behaviour,
            ("GET", "/health/live"): self.live,
        })  # fmt: skip


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
    with ExitStack() as stack:
        log = stack.enter_context(FileIO(given.log, "a+")) if given.log else None
        provider = Provider(Reporter(url=given.receipts_url, secret=secret), log)
        provider.read_log()
        listening = stack.enter_context(socket.create_server((given.host, given.port), backlog=512))
        host, port = listening.getsockname()[:2]
        sys.stdout.write(json.dumps({"provider": "sms", "port": port, "url": f"http://{host}:{port}"}) + "\n")
        sys.stdout.flush()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(provider, listening))


async def _serve(provider: Provider, listening: socket.socket) -> None:
    config = uvicorn.Config(
        provider.pages,
        http="httptools",
        interface="asgi3",
        lifespan="off",
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    async with provider.reporter.running():
        await uvicorn.Server(config).serve(sockets=[listening])


async def _never() -> Answer:
    """Leave a call without an answer: its sender has long given up when this one comes."""
    await asyncio.sleep(HANG_SECONDS)
    return Answer(504, {"error": "as told"})


def _refusal(error: ValidationError) -> Answer:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "body"
    return Answer(400, {"error": f"{where}: {first['msg']}"})


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    main()
