"""Does one trace follow a contact through a service, from the record that came in to the records that went out?"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.runtime import http, kafka
from services.runtime.frames import Frame
from services.runtime.outbox import framed
from services.runtime.settings import Settings
from services.runtime.tracing import UNTRACED
from tests.support.floor import CASES, NOW, migrate_schema, milestone, reading, settings_for, until
from tests.support.processes import environment, publish, running

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"


@dataclass(slots=True)
class Collector:
    """An OTLP collector that keeps what it is given."""

    address: str
    spans: list[Span] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        """Keep the spans of one export."""
        exported = ExportTraceServiceRequest.FromString(await request.body())
        self.spans += [
            span for resource in exported.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
        return Response(media_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        """Return the spans of this name."""
        return [span for span in self.spans if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    listening = http.bound_socket("127.0.0.1", 0)
    collector = Collector(f"http://127.0.0.1:{listening.getsockname()[1]}")
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(http.serve(app, listening, stopping))
        yield collector
        stopping.set()


@pytest.fixture
async def settings(postgres_dsn: str, kafka_bootstrap: str) -> Settings:
    made = settings_for(postgres_dsn, kafka_bootstrap)
    await kafka.create_topics(made)
    return made


@pytest.fixture
async def name(settings: Settings) -> str:
    schema = f"tiny_{secrets.token_hex(4)}"
    await migrate_schema(settings, schema)
    return schema


def incoming(number: int, traceparent: str | None) -> Frame:
    frame = framed("caseloop/test", milestone(CASES[0], number), NOW, UNTRACED)
    headers = [(key, value) for key, value in frame.headers if key != "traceparent"]
    return frame._replace(headers=[*headers, ("traceparent", traceparent.encode())] if traceparent else headers)


async def traceparents(settings: Settings, count: int) -> list[str]:
    async with reading(settings, "notifications") as read_until:
        seen = await read_until(lambda seen: len(seen.records) >= count)
    return [dict(record.headers)["traceparent"].decode() for record in seen.records]


async def test_the_trace_id_goes_on_with_a_new_span_id_even_when_nobody_looks(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with running(name, environment(settings), tmp_path):
        await publish(settings, incoming(1, SAMPLED), incoming(2, None), incoming(3, "not a trace"))
        first, second, third = await traceparents(settings, 3)

    assert first.split("-")[1] == TRACE
    assert first.split("-")[2] != SPAN
    assert len({TRACE, second.split("-")[1], third.split("-")[1]}) == 3


async def test_spans_join_the_record_that_came_in_with_the_one_that_went_out(
    settings: Settings,
    name: str,
    tmp_path: Path,
) -> None:
    async with collecting() as collector:
        env = environment(settings, CASELOOP_OTLP_ENDPOINT=collector.address)
        async with running(name, env, tmp_path) as tiny:
            await publish(settings, incoming(1, SAMPLED))
            (traceparent,) = await traceparents(settings, 1)
            tiny.process.terminate()
            assert await tiny.process.wait() == 0
        await until(lambda: has(collector, "send outbox"))

    (created,) = collector.named("create notifications")
    assert (created.trace_id.hex(), created.parent_span_id.hex()) == (TRACE, SPAN)
    assert traceparent == f"00-{TRACE}-{created.span_id.hex()}-01"
    (processed,) = collector.named(f"process caseloop/{name}")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in processed.links] == [(TRACE, SPAN)]
    (sent,) = collector.named("send outbox")
    assert [link.span_id for link in sent.links] == [created.span_id]


async def has(collector: Collector, name: str) -> bool:
    return bool(collector.named(name))
