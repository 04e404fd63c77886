"""How do the parts of one process come up, stand together, and go down?

Up: own port, PostgreSQL, migrations; each step either holds or says in one line why not. Then the loops run until
SIGTERM or until one of them fails. Only reading waits for Kafka: without it timers fire and the outbox grows.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from contracts.policy import Policy
from contracts.topics import TOPICS
from services.runtime import http, kafka, readiness, tracing
from services.runtime.clock import SystemClock
from services.runtime.context import LoopFactory, ServiceContext
from services.runtime.database import open_pool
from services.runtime.front import front_loops
from services.runtime.leases import Leases
from services.runtime.lifecycle import Lifecycle, Loop
from services.runtime.logs import Log
from services.runtime.publishing import KafkaPublisher
from services.runtime.relay import Relay
from services.runtime.settings import Settings

if TYPE_CHECKING:
    from services.runtime.service import Service

GC_THRESHOLDS = (200_000, 10, 10)
"""A batch makes thousands of short-lived objects. To look for cycles among them while it is handled finds none, and at
20,000 cost a sixth of one hop's processor time; after a batch they are gone by themselves, and the count with them.
"""


async def travel(service: "Service", settings: Settings, policy: Policy) -> None:
    """Run this service until it is told to stop; ``StartError`` when it cannot begin."""
    log = Log(service.name, settings.log_level)
    lifecycle = Lifecycle(log, settings.stop_seconds)
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(http.bound_socket(settings.http_host, settings.http_port))
        pool = await stack.enter_async_context(open_pool(settings, service.name))
        await readiness.verify_migrations(pool, service.name)
        spans = tracing.configured(service.name, settings.otlp_endpoint, settings.trace_ratio)
        stack.callback(spans.close)
        edge, behind = KafkaPublisher(settings), KafkaPublisher(settings)
        stack.push_async_callback(edge.close)
        stack.push_async_callback(behind.close)
        context = ServiceContext(
            service=service.name,
            settings=settings,
            pool=pool,
            policy=policy,
            clock=SystemClock(),
            log=log,
            publisher=edge,
            stopping=lifecycle.stopping,
            tracing=spans,
        )
        relay = _relay(context, behind)
        back = {"relay": relay.run, "http": _pages(service, context, relay, behind, listening)}
        front = _front(service, context)
        lifecycle.listen_to_signals()
        _began(context, listening)
        await lifecycle.run(front, back)
    log.info("stopped")


def _relay(context: ServiceContext, publisher: KafkaPublisher) -> Relay:
    settings = context.settings
    return Relay(
        pool=context.pool,
        publisher=publisher,
        leases=Leases(f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}", settings.relay_lease_seconds),
        log=context.log,
        rows_max=settings.relay_rows_max,
        publish_seconds=settings.publish_timeout_seconds,
        tracing=context.tracing,
        wake=context.outbox_wake,
        fresh=context.outbox_fresh,
    )


def _front(service: "Service", context: ServiceContext) -> Mapping[str, Loop]:
    own = {getattr(factory, "__name__", "loop"): _bound(factory, context) for factory in service.loops}
    loops = dict(front_loops(service, context))
    return {**loops, "consumer": _once_there(context.settings, loops["consumer"]), **own}


def _once_there(settings: Settings, consumer: Loop) -> Loop:
    """Let the consumer begin when the brokers answer, if they have all topics; else the process ends and says so."""

    async def run(stopping: asyncio.Event) -> None:
        await kafka.verify_topics(settings, TOPICS)
        await consumer(stopping)

    return run


def _bound(factory: LoopFactory, context: ServiceContext) -> Loop:
    """Let a loop of a service, which finds the event in its context, be run like every other."""
    return lambda _stopping: factory(context)


def _pages(
    service: "Service", context: ServiceContext, relay: Relay, publisher: KafkaPublisher, listening: socket.socket
) -> Loop:
    routes = service.routes(context) if service.routes else ()
    app = http.application(readiness.checks_of(context, publisher), readiness.warnings_of(context, relay), routes)
    return lambda stopping: http.serve(app, listening, stopping)


def _began(context: ServiceContext, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    http.announce(context.settings.announce_file, context.service, port)
    context.log.info("listening", port=port)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
