"""How are brokers spoken to, and which topics must they have?

The one place that knows addresses, security and topic settings; services and the command line share it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from faststream.security import BaseSecurity, SASLScram512

from contracts.topics import RECORD_BYTES_MAX, REPLICATION, TOPICS, Topic
from services.runtime.errors import StartError, TransientError
from services.runtime.settings import Settings

BATCH_BYTES_MAX = RECORD_BYTES_MAX + 65_536
"""Largest batch a broker takes: a record of the largest size with key, headers and framing still fits."""
REQUEST_MILLISECONDS = 5_000
"""A broker that does not answer this long is asked again; the default of 40 s would outlive every lease."""
ANSWER_SECONDS = 3.0
"""How long a service that starts waits for one answer; it asks again, unless it is told to stop meanwhile."""
ALREADY_THERE = 36
"""Kafka's error code TOPIC_ALREADY_EXISTS."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Return what every aiokafka client of ours is made with."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": settings.kafka_security.upper(),
        "request_timeout_ms": REQUEST_MILLISECONDS,
        "connections_max_idle_ms": 540_000,
    }
    if settings.kafka_security.endswith("ssl"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security.startswith("sasl"):
        secret = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
        options |= {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": settings.kafka_username or "",
            "sasl_plain_password": secret,
        }
    return options


def faststream_security(settings: Settings) -> BaseSecurity | None:
    """Return the same security as FastStream wants to hear it."""
    tls = _tls(settings) if settings.kafka_security.endswith("ssl") else None
    if settings.kafka_security.startswith("sasl"):
        secret = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
        return SASLScram512(settings.kafka_username or "", secret, ssl_context=tls, use_ssl=tls is not None)
    return BaseSecurity(ssl_context=tls, use_ssl=True) if tls else None


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def producer(settings: Settings) -> AIOKafkaProducer:
    """Return a producer, not yet started, that loses, doubles and reorders nothing while it lives."""
    return AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=BATCH_BYTES_MAX,
        retry_backoff_ms=50,
    )


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give an administration client; ``StartError`` when no broker answers within ``start_wait_seconds``."""
    client = await _connected(settings)
    try:
        yield client
    finally:
        await client.close()


async def _connected(settings: Settings) -> AIOKafkaAdminClient:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_wait_seconds
    while True:
        client = AIOKafkaAdminClient(**client_options(settings))
        try:
            async with asyncio.timeout_at(deadline):
                await client.start()
        except (KafkaError, OSError) as problem:
            await client.close()
            if loop.time() + 0.25 >= deadline:
                raise StartError(_unreachable(settings, problem)) from None
        else:
            return client
        await asyncio.sleep(0.25)


def _unreachable(settings: Settings, problem: Exception) -> str:
    reason = "no answer" if isinstance(problem, TimeoutError) else f"cannot connect ({type(problem).__name__})"
    return (
        f"CASELOOP_KAFKA_BOOTSTRAP: Kafka at {settings.kafka_bootstrap}: {reason}; "
        "start it or set the key to its address"
    )


def topic_settings(topic: Topic, replication: int) -> Mapping[str, str]:
    """Return the configuration that the brokers keep for this topic."""
    policy = "delete"
    if topic.compacted:
        policy = "compact" if topic.retention_seconds is None else "compact,delete"
    return {
        "cleanup.policy": policy,
        "retention.ms": str(-1 if topic.retention_seconds is None else topic.retention_seconds * 1000),
        "max.message.bytes": str(BATCH_BYTES_MAX),
        "min.insync.replicas": "2" if replication > 2 else "1",  # noqa: PLR2004 - a majority of three
        "message.timestamp.type": "CreateTime",
    }


async def create_topics(settings: Settings, topics: Iterable[Topic] = TOPICS.values()) -> list[str]:
    """Create the topics that are not there yet and return their full names; never changes one that is."""
    replication = settings.topic_replication or REPLICATION
    wanted = [
        NewTopic(
            settings.topic_prefix + topic.name,
            settings.topic_partitions or topic.partitions,
            replication,
            topic_configs=dict(topic_settings(topic, replication)),
        )
        for topic in topics
    ]
    async with admin(settings) as client:
        there = set(await client.list_topics())
        new = [topic for topic in wanted if topic.name not in there]
        answer = await client.create_topics(new) if new else None
    for name, code, *reason in answer.topic_errors if answer else ():
        if code not in (0, ALREADY_THERE):
            raise StartError(_refused(name, code, reason, replication))
    return [topic.name for topic in new]


def _refused(name: str, code: int, reason: list[Any], replication: int) -> str:
    why = (reason[0] if reason else None) or for_code(code).__name__
    return f"topic {name}: {why}; replication is {replication}, set CASELOOP_TOPIC_REPLICATION to 1 on a single broker"


async def verify_topics(settings: Settings, names: Iterable[str]) -> None:
    """Raise ``StartError`` unless the brokers have all these topics, ``TransientError`` when none of them answers."""
    client = AIOKafkaAdminClient(**client_options(settings))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.start()
            there = set(await client.list_topics())
    except (KafkaError, OSError) as problem:
        raise TransientError(_unreachable(settings, problem)) from None
    finally:
        await client.close()
    if missing := [name for name in (settings.topic_prefix + name for name in names) if name not in there]:
        raise StartError(f"topics missing on {settings.kafka_bootstrap}: {', '.join(missing)}; run `caseloop topics`")
