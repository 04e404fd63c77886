"""How can one contact be followed from its channel event to the SMS, and what does it cost when nobody looks?

The trace lives in the messages: each has a ``traceparent``, and what follows from a message has the same trace id and a
new span id. With a collector configured, each message said is a ``create`` span in its contact's own trace, and each
batch is one ``process`` or ``send`` span with a link per message (messaging semantic conventions). Without a collector
an outgoing message costs one random number and no span is made. This module is the home of that randomness: a span id
decides nothing.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from services.runtime.glance import TRACEPARENT

Operation = Literal["process", "send"]
KIND: Mapping[Operation, SpanKind] = {"process": SpanKind.CONSUMER, "send": SpanKind.CLIENT}
_SAMPLED = 0x01


class Tracing:
    """The spans of one service; with no ``processor`` it only hands trace ids on."""

    def __init__(self, service: str = "", processor: SpanProcessor | None = None, ratio: float = 1.0) -> None:
        """Prepare; nothing is sent before the first span ends."""
        self._provider: TracerProvider | None = None
        self._tracer: trace.Tracer | None = None
        if processor is not None:
            resource = Resource.create({"service.name": f"caseloop-{service}", "service.namespace": "caseloop"})
            self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)))
            self._provider.add_span_processor(processor)
            self._tracer = self._provider.get_tracer("caseloop")

    @property
    def enabled(self) -> bool:
        """Tell whether anybody looks."""
        return self._tracer is not None

    def outgoing(self, traceparent: str | None, topic: str, message_id: str) -> str:
        """Return the ``traceparent`` of a message that follows from this one, or begins a trace."""
        if self._tracer is None:
            return continued(traceparent)
        parent = _context(traceparent)
        if parent is not None and not parent.trace_flags.sampled:
            return continued(traceparent)
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "create",
            "messaging.operation.type": "create",
            "messaging.destination.name": topic,
            "messaging.message.id": message_id,
        }
        within = None if parent is None else trace.set_span_in_context(NonRecordingSpan(parent))
        span = self._tracer.start_span(
            f"create {topic}",
            context=within or Context(),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
        )
        span.end()
        return _text(span.get_span_context())

    @contextmanager
    def batch(
        self,
        operation: Operation,
        destination: str,
        traceparents: Iterable[str | None],
        **attributes: str | int,
    ) -> Iterator[None]:
        """Make one span around the work on a batch, linked to each of its sampled messages; none if none is sampled."""
        if self._tracer is None:
            yield
            return
        contexts = (_context(traceparent) for traceparent in traceparents)
        links = [Link(context) for context in contexts if context is not None and context.trace_flags.sampled]
        if not links:
            yield
            return
        described: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": destination,
            "messaging.batch.message_count": len(links),
        }
        with self._tracer.start_as_current_span(
            f"{operation} {destination}",
            context=Context(),
            kind=KIND[operation],
            links=links,
            attributes=described | attributes,
            record_exception=False,
        ):
            yield

    def close(self) -> None:
        """Send what is left; a collector that is away does not hold the service up for long."""
        if self._provider is not None:
            self._provider.shutdown()


UNTRACED = Tracing()
"""Hands trace ids on and makes no spans."""


def configured(service: str, endpoint: str | None, ratio: float) -> Tracing:
    """Return tracing to the collector at this base address, or the cheap kind without one."""
    if endpoint is None:
        return UNTRACED
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # here: 3 MiB that few need

    exporter = trace_exporter.OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=2)
    return Tracing(service, BatchSpanProcessor(exporter, export_timeout_millis=2_000), ratio)


def continued(traceparent: str | None) -> str:
    """Return the same trace with a new span id, or a new trace that is not sampled."""
    span_id = f"{random.getrandbits(64) or 1:016x}"
    if traceparent is not None and TRACEPARENT.fullmatch(traceparent):
        return f"{traceparent[:36]}{span_id}{traceparent[52:]}"
    return f"00-{random.getrandbits(128) or 1:032x}-{span_id}-00"


def _context(traceparent: str | None) -> SpanContext | None:
    known = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if known is None:
        return None
    flags = TraceFlags(int(known[3], 16) & _SAMPLED)
    return SpanContext(int(known[1], 16), int(known[2], 16), is_remote=True, trace_flags=flags)


def _text(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & _SAMPLED:02x}"
