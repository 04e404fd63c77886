"""Which loops take work in, and how do they share one way of settling it?"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.runtime import envelope
from services.runtime.compaction import compaction_loop
from services.runtime.consumer import Consumer
from services.runtime.context import ServiceContext
from services.runtime.firing import timers_loop
from services.runtime.gauges import gauges_loop
from services.runtime.lifecycle import Loop
from services.runtime.parking import Backoff
from services.runtime.processing import Processing
from services.runtime.retirement import retirement_loop
from services.runtime.retrier import retrier_loop
from services.runtime.subscription import Subscription

if TYPE_CHECKING:
    from services.runtime.service import Service


def front_loops(service: "Service", context: ServiceContext) -> Mapping[str, Loop]:
    """Return consumer, timers, retrier, retirement and gauges of a service; each runs until its event is set."""
    settings, pool, clock, log = context.settings, context.pool, context.clock, context.log
    open_record = envelope.opener(service.wants, service.reads)
    keep = timedelta(days=settings.inbox_retention_days)
    processing = processing_of(service, context)
    consumer = Consumer(processing, pool, clock, open_record, log, keep=keep, bytes_max=settings.batch_bytes_max)
    subscription = Subscription(settings, service.name, service.topics, consumer, log, rest=service.rest)
    return {
        "consumer": subscription.run,
        "timers": partial(timers_loop, processing, pool, context.timers_due, log),
        "retrier": partial(retrier_loop, processing, pool, open_record, keep, log),
        "retirement": partial(retirement_loop, pool, clock, keep, service.retires, log),
        "compaction": partial(compaction_loop, pool),
        "gauges": partial(gauges_loop, pool, clock),
    }


def processing_of(service: "Service", context: ServiceContext) -> Processing:
    """Return the one way in which records, timers and retries of this service are settled."""
    settings = context.settings
    return Processing(
        pool=context.pool,
        clock=context.clock,
        source=context.source,
        handler=service.handler_of(context.policy),
        log=context.log,
        backoff=Backoff(settings.attempts_max, settings.retry_seconds_first, settings.retry_seconds_max),
        dead_in_a_row_max=settings.dead_in_a_row_max,
        tracing=context.tracing,
        guarded=service.guarded,
        committed=context.committed,
    )
