"""What has a run put on the topics, byte for byte, and does the product say of it what the driver saw?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer

from contracts.topics import TOPICS
from services.cli.reading import Ends, ends_of, reader
from services.desk.app import SERVICE as DESK
from services.followup.app import SERVICE as FOLLOWUP
from services.intake.app import SERVICE as INTAKE
from services.notify.app import SERVICE as NOTIFY
from services.router.app import SERVICE as ROUTER
from services.runtime.glance import OURS
from services.runtime.records import Record
from services.runtime.settings import Settings
from tests.bench.workload import NoResultError
from tests.support.driver import Driver
from tests.support.floor import settings_for
from tests.support.system import System

SERVICES = (INTAKE, ROUTER, FOLLOWUP, NOTIFY, DESK)
STATES = """
SELECT count(*) AS cases, count(*) FILTER (WHERE state = 'closed') AS closed,
    (SELECT count(*) FROM intake.parked) + (SELECT count(*) FROM router.parked) + (SELECT count(*) FROM followup.parked)
    + (SELECT count(*) FROM notify.parked) + (SELECT count(*) FROM desk.parked) AS parked
FROM router.cases
"""
CHANGES = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::float8 FROM pg_stat_user_tables"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where topics and tables were at a moment."""

    ends: Ends
    changes: float
    """Rows inserted, updated and deleted since the server began to count."""


async def mark(system: System) -> Mark:
    """Return where they are now."""
    connection = await asyncpg.connect(system.postgres)
    changes = await connection.fetchval(CHANGES)
    await connection.close()
    return Mark(await ends(settings_for(system.postgres, system.kafka, topic_prefix="")), changes)


async def ends(settings: Settings) -> Ends:
    """Return where the logs of all topics end, however many partitions they have."""
    async with reader(settings, list(TOPICS)) as consumer:
        return await ends_of(consumer)


async def records(system: System, since: Ends, until: Ends) -> list[Record]:
    """Return what was written in between, partition by partition."""
    grown = [part for part in until if until[part] > since[part]]
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    consumer.assign(grown)
    for part in grown:
        consumer.seek(part, since[part])
    found: list[Record] = []
    total = sum(until[part] - since[part] for part in grown)
    while len(found) < total:
        for polled in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
            found += [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in polled]
    await consumer.stop()
    return found


def by_topic(found: Sequence[Record], cases: int) -> dict[str, float]:
    """Return how many records each topic got for one case."""
    counts = Counter(record.topic for record in found)
    return {topic: round(counts[topic] / cases, 2) for topic in sorted(counts)}


def is_ours(record: Record) -> bool:
    """Tell whether a service of the product said it."""
    return (dict(record.headers)["ce_source"] or b"").startswith(OURS.encode())


async def checked(system: System, *drivers: Driver) -> dict[str, int]:
    """Count in the provider's log and the tables; a run with a lost, doubled or parked thing is no result."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        messages = (await client.get(f"{system.sms}/messages")).json()["messages"]
    references = [message["client_reference"] for message in messages]
    connection = await asyncpg.connect(system.postgres)
    found = dict(await connection.fetchrow(STATES) or {})
    await connection.close()
    begun, closed = sum(len(each.journeys) for each in drivers), sum(each.closed for each in drivers)
    wanted = {"cases": begun, "closed": closed, "parked": 0, "sms_accepted": len(set(references))}
    found["sms_accepted"] = len(references)
    if found != wanted:
        raise NoResultError(f"{found} in the tables and at the provider, {wanted} would be right")
    return found
