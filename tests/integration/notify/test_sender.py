"""What does the sender conclude from every way in which a call can end, and does it ever call twice?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from contracts.message import derived_id
from services.notify.domain.outcomes import Absent, Accepted, Outcome, Postponed, Refused, Unclear
from services.notify.senders.http import ANSWER_BYTES_MAX, HttpSender, open_sender
from services.notify.settings import NotifySettings
from services.runtime.http import bound_socket

DELIVERY = derived_id("delivery")
TAKEN = b'{"provider_ref": "p-1"}'
CALLS_MAX = 4
Behave = Callable[["Wire", asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Wire:
    """A provider down to the bytes: it counts, and then does what a test says."""

    behave: Behave
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                self.requests.append(head + await reader.readexactly(int(length[0].split(b":")[1]) if length else 0))
                await self.behave(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answering(status: str, body: bytes = TAKEN, *headers: str) -> Behave:
    async def answer(_wire: Wire, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


def cutting(*said: bytes) -> Behave:
    async def cut(_wire: Wire, writer: asyncio.StreamWriter) -> None:
        writer.writelines(said)
        writer.close()

    return cut


async def silent(wire: Wire, _writer: asyncio.StreamWriter) -> None:
    await wire.closed.wait()


@asynccontextmanager
async def calling(behave: Behave, seconds: float = 5.0) -> AsyncIterator[tuple[Wire, HttpSender]]:
    wire = Wire(behave)
    listening = bound_socket("127.0.0.1", 0)
    settings = NotifySettings.model_validate({
        "kafka_bootstrap": "localhost:1", "postgres_dsn": "postgresql://localhost:1/x", "sms_token": "t0ken",
        "sms_url": f"http://127.0.0.1:{listening.getsockname()[1]}/v2/", "sms_timeout_seconds": seconds,
        "sms_calls_max": CALLS_MAX,
    })  # fmt: skip
    server = await asyncio.start_server(wire.serve, sock=listening)
    try:
        async with open_sender(settings) as sender:
            assert sender is not None
            yield wire, sender
    finally:
        wire.closed.set()
        server.close()


async def sent(sender: HttpSender) -> Outcome:
    return await sender.send(DELIVERY, "+8613800005678", "hello", None)


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (answering("202 Accepted"), Accepted("p-1")),
        (answering("200 OK", b"{}"), Accepted(None)),
        (answering("200 OK", b"<html>"), Unclear("answer_unreadable")),
        (answering("200 OK", b'"' + b"x" * (8 * ANSWER_BYTES_MAX) + b'"'), Unclear("answer_unreadable")),
        (answering("202 Accepted", b'{"provider_ref": "p\\u0000-1"}'), Accepted(None)),
        (answering("302 Found", b"", "location: /elsewhere"), Refused("http_302")),
        (answering("307 Temporary Redirect", b"", "location: /elsewhere"), Refused("http_307")),
        (answering("400 Bad Request"), Refused("http_400")),
        (answering("408 Request Timeout"), Unclear("http_408")),
        (answering("429 Too Many Requests", b"", "retry-after: 7"), Postponed("http_429", 7.0)),
        (answering("429 Too Many Requests", b"", "retry-after: \u00b2"), Postponed("http_429", 60.0)),
        (answering("500 Internal Server Error"), Unclear("http_500")),
        (answering("502 Bad Gateway", b"", "retry-after: 7"), Postponed("http_502", 7.0)),
        (answering("503 Service Unavailable"), Postponed("http_503")),
        (cutting(), Unclear("cut")),
        (cutting(b"HTTP/1.1 20"), Unclear("cut")),
        (cutting(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), Unclear("cut")),
        (cutting(b"what?\r\n\r\n"), Unclear("cut")),
    ],
)
async def test_one_call_and_one_conclusion(behave: Behave, outcome: Outcome) -> None:
    async with calling(behave) as (wire, sender):
        assert await sent(sender) == outcome
        assert len(wire.requests) == 1
    [request] = wire.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/messages HTTP/1.1\r\n")
    assert b"authorization: bearer t0ken" in head.lower()
    assert str(DELIVERY).encode() in body


async def test_an_answer_that_does_not_come_in_time_proves_nothing() -> None:
    async with calling(silent, 0.2) as (wire, sender):
        assert await sent(sender) == Unclear("timed_out")
        assert await sender.look_up(DELIVERY) == Unclear("timed_out")
        assert len(wire.requests) == 2


async def test_a_kept_connection_that_is_cut_under_a_message_does_not_make_it_go_twice() -> None:
    async def once(wire: Wire, writer: asyncio.StreamWriter) -> None:
        await (answering("202 Accepted") if len(wire.requests) == 1 else cutting())(wire, writer)

    async with calling(once) as (wire, sender):
        assert await sent(sender) == Accepted("p-1")
        assert await sent(sender) == Unclear("cut")
        assert (len(wire.requests), wire.connections) == (2, 1)


async def test_many_calls_share_few_connections() -> None:
    async with calling(answering("202 Accepted")) as (wire, sender):
        outcomes = await asyncio.gather(*(sent(sender) for _ in range(40)))
        assert outcomes == [Accepted("p-1")] * 40
        assert wire.connections <= CALLS_MAX


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with calling(silent, 0.5) as (_, sender):
        gone = HttpSender(sender._session, "http://127.0.0.1:9/messages", "caseloop", 0.5)
        assert await sent(gone) == Postponed("not_connected")
        assert await gone.look_up(DELIVERY) == Unclear("cut")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"messages": []}', Absent()),
        (b"[]", Absent()),
        (b'[{"client_reference": "another", "provider_ref": "p-2"}]', Absent()),
        (b'[{"client_reference": "%b", "provider_ref": "p-1"}]' % str(DELIVERY).encode(), Accepted("p-1")),
        (b'[{"client_reference": "%b", "provider_ref": "\\u0000"}]' % str(DELIVERY).encode(), Accepted(None)),
        (b"{}", Unclear("lookup_http_200")),
        (b"no", Unclear("lookup_http_200")),
    ],
)
async def test_only_an_answer_proves_that_a_message_is_there_or_not(body: bytes, outcome: Outcome) -> None:
    async with calling(answering("200 OK", body)) as (wire, sender):
        assert await sender.look_up(DELIVERY) == outcome
    assert wire.requests[0].startswith(b"GET /v2/messages?client_reference=%b HTTP/1.1" % str(DELIVERY).encode())
