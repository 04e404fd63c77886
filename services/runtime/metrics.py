"""What can be measured from outside, and under which name?

Prometheus metrics of one process; ``/metrics`` shows :data:`REGISTRY`. Counters count since the process started.
"""

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.gc_collector import GCCollector

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LATE = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
_COUNT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)

RECORDS = Counter("caseloop_records", "Records by topic and ending", ["topic", "ending"], registry=REGISTRY)
BATCH_RECORDS = Histogram("caseloop_batch_records", "Records in one transaction", buckets=_COUNT, registry=REGISTRY)
TRANSACTION_SECONDS = Histogram(
    "caseloop_transaction_seconds",
    "Time from BEGIN to COMMIT",
    buckets=_QUICK,
    registry=REGISTRY,
)
CONSUMER_LAG = Gauge("caseloop_consumer_lag", "Records not yet settled", ["topic", "partition"], registry=REGISTRY)
FENCED = Counter("caseloop_fenced", "Slices dropped because another owner is ahead", registry=REGISTRY)
MISSED = Counter("caseloop_missed", "Records deleted before they were read", ["topic"], registry=REGISTRY)
OUTBOX_ROWS = Gauge("caseloop_outbox_rows", "Outbox rows waiting, counted up to 10000", registry=REGISTRY)
OUTBOX_AGE_SECONDS = Gauge("caseloop_outbox_age_seconds", "Age of the oldest outbox row", registry=REGISTRY)
OUTBOX_BUCKETS = Gauge("caseloop_outbox_buckets", "Outbox buckets that this process relays", registry=REGISTRY)
OUTBOX_HELD = Gauge("caseloop_outbox_held", "Partitions that take nothing and are left alone", registry=REGISTRY)
OUTBOX_STANDING = Gauge(
    "caseloop_outbox_standing",
    "Outbox buckets that stand still before a row of a newer release",
    registry=REGISTRY,
)
PUBLISHED = Counter("caseloop_published", "Messages acknowledged by the brokers", registry=REGISTRY)
PUBLISH_FAILURES = Counter("caseloop_publish_failures", "Publishes that failed and are repeated", registry=REGISTRY)
PUBLISH_SECONDS = Histogram(
    "caseloop_publish_seconds",
    "Time from reading outbox rows to the acks",
    buckets=_QUICK,
    registry=REGISTRY,
)
PARKED = Gauge("caseloop_parked", "Parked records by status", ["status"], registry=REGISTRY)
PARKED_AGE_SECONDS = Gauge(
    "caseloop_parked_age_seconds",
    "Age of the oldest parked record by status",
    ["status"],
    registry=REGISTRY,
)
TIMERS_FIRED = Counter("caseloop_timers_fired", "Timers fired", registry=REGISTRY)
TIMER_LATE_SECONDS = Histogram(
    "caseloop_timer_late_seconds",
    "Time from due to fired",
    buckets=_LATE,
    registry=REGISTRY,
)
LOOP_INTERRUPTIONS = Counter(
    "caseloop_loop_interruptions",
    "Times a loop waited for a server to come back",
    ["loop"],
    registry=REGISTRY,
)


def observe(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe all these values of a histogram without labels.

    prometheus_client (0.26) takes one value at a time, with two locks each: a tenth of the work on a timer.
    """
    bounds = histogram._upper_bounds  # noqa: SLF001 - see above
    histogram._sum.inc(sum(values))  # noqa: SLF001 - see above
    for place, count in Counted(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[place].inc(count)  # noqa: SLF001 - see above
