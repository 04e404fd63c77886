"""Can one contact be followed from the channel event to the SMS, through every service, by one trace?"""

import asyncio
from uuid import uuid4

import httpx
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.values import rfc3339
from services.runtime.clock import SystemClock
from tests.support.system import System

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TOPICS = ("contacts", "case.events", "followups", "notifications")
SECONDS = 30.0


async def test_one_trace_joins_a_contact_from_channel_event_to_sms(system: System) -> None:
    conversation, phone = f"trace-{uuid4().hex}", f"+86139{uuid4().int % 10**8:08}"
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    try:
        parts = [TopicPartition(topic, part) for topic in TOPICS for part in range(12)]
        consumer.assign(parts)
        await consumer.seek_to_end(*parts)
        for part in parts:
            await consumer.position(part)
        await _emergency(system, conversation, phone)
        said = await _of_the_trace(consumer)
    finally:
        await consumer.stop()

    assert {topic for topic, _, _ in said} == set(TOPICS)
    assert len({span for _, _, span in said}) == len(said), "every message has a span of its own"
    sent = next(data for topic, data, _ in said if topic == "notifications")
    async with httpx.AsyncClient() as client:
        messages = (await client.get(f"{system.sms}/messages")).json()["messages"]
    assert [each["to"] for each in messages if each["client_reference"] == sent["delivery_id"]] == [phone]


async def _emergency(system: System, conversation: str, phone: str) -> None:
    """Send what is answered by SMS at once: a danger to people."""
    data = {
        "channel": "sms",
        "conversation_id": conversation,
        "message_id": conversation,
        "author": "customer",
        "from": [{"kind": "phone", "value": phone}],
        "text": "Fire! The charger is burning and my son is hurt, please help",
    }
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", conversation.encode()),
        ("ce_source", b"tests/trace"),
        ("ce_type", b"caseloop.channel.message_received.v1"),
        ("ce_time", rfc3339(SystemClock().now()).encode()),
        ("content-type", b"application/json"),
        ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    await producer.send_and_wait("channel.sms", orjson.dumps(data), conversation.encode(), headers=headers)
    await producer.stop()


async def _of_the_trace(consumer: AIOKafkaConsumer) -> list[tuple[str, dict[str, str], str]]:
    """Return topic, data and span of everything said in the trace, until each topic has said something."""
    said: list[tuple[str, dict[str, str], str]] = []
    async with asyncio.timeout(SECONDS):
        while {topic for topic, _, _ in said} != set(TOPICS):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    _, trace, span, _ = dict(record.headers)["traceparent"].decode().split("-")
                    if trace == TRACE:
                        said.append((record.topic, orjson.loads(record.value), span))
    return said
