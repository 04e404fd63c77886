"""Is a contact's trace id handed on, and what is made of it when somebody looks?"""

import re

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.runtime.tracing import UNTRACED, Tracing, continued

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00"


def watched() -> tuple[Tracing, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return Tracing("router", SimpleSpanProcessor(exporter)), exporter


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_the_trace_goes_on_with_a_new_span() -> None:
    following = continued(SAMPLED)

    assert following.split("-")[1] == SAMPLED.split("-")[1]
    assert following.split("-")[2] != SAMPLED.split("-")[2]
    assert following.endswith("-01")


@pytest.mark.parametrize("given", [None, "", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", SAMPLED + "-more"])
def test_without_a_usable_trace_one_begins_unsampled(given: str | None) -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", continued(given))
    assert continued(given) != continued(given)


def test_nobody_looking_makes_no_span() -> None:
    with UNTRACED.batch("process", "contacts", [SAMPLED]):
        assert UNTRACED.outgoing(SAMPLED, "contacts", "id").split("-")[1] == SAMPLED.split("-")[1]


def test_a_message_said_is_a_span_in_the_trace_of_its_cause() -> None:
    tracing, exporter = watched()

    traceparent = tracing.outgoing(SAMPLED, "case.events", "an-id")

    span = only(exporter)
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == SAMPLED.split("-")[1] == traceparent.split("-")[1]
    assert f"{span.parent.span_id:016x}" == SAMPLED.split("-")[2]
    assert f"{span.context.span_id:016x}" == traceparent.split("-")[2]
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": "case.events",
        "messaging.message.id": "an-id",
    }


def test_a_message_without_a_cause_begins_a_trace() -> None:
    tracing, exporter = watched()

    traceparent = tracing.outgoing(None, "contacts", "an-id")

    assert only(exporter).parent is None
    assert traceparent.endswith("-01")


def test_a_batch_is_one_span_with_a_link_for_each_sampled_message() -> None:
    tracing, exporter = watched()

    with tracing.batch("process", "contacts", [SAMPLED, NOT_SAMPLED, None, SAMPLED]):
        pass

    span = only(exporter)
    assert span.name == "process contacts"
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [SAMPLED.split("-")[1]] * 2
    assert (span.attributes or {})["messaging.operation.type"] == "process"


def test_what_nobody_sampled_costs_no_span() -> None:
    tracing, exporter = watched()

    with tracing.batch("process", "contacts", [NOT_SAMPLED, None]):
        assert tracing.outgoing(NOT_SAMPLED, "case.events", "an-id").endswith("-00")

    assert exporter.get_finished_spans() == ()
