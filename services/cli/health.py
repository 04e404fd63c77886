"""How is a running system: its processes, what it has still to read and to say, what is parked, what is late?"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import orjson
from aiokafka import TopicPartition

from contracts.topics import TOPICS
from services.cli.connection import SERVICES, Connection
from services.cli.failures import CommandError
from services.cli.reading import ends_of, reader
from services.cli.schemas import schema
from services.runtime import missed, offsets, parking_lot
from services.runtime.missed import missed_warning
from services.runtime.parking_lot import Waiting
from services.runtime.readiness import parked_warning

OUTBOX_SECONDS_MAX = 30.0
TIMER_SECONDS_MAX = 30.0
LAG_MAX = 10_000
"""Beyond these a service is called unhealthy; below them it is only busy."""
_ANSWER_SECONDS = 3.0
_OK = 200

OUTBOX = """
-- status.outbox: how much is still to be said, and since when
SELECT count(*) AS rows, extract(epoch FROM $1 - min(created_at))::float8 AS age FROM (
    SELECT created_at FROM outbox ORDER BY id LIMIT 10000
) waiting
"""

TIMERS = """
-- status.timers: how many are due, and how late the latest is
SELECT count(*) AS due, extract(epoch FROM $1 - min(due_at))::float8 AS late FROM timers WHERE due_at <= $1
"""


@dataclass(slots=True)
class Health:
    """One service; what is not known is ``None``."""

    service: str
    pid: int | None = None
    url: str | None = None
    ready: bool | None = None
    lag: int = 0
    outbox_rows: int = 0
    outbox_age_seconds: float = 0.0
    parked_retry: int = 0
    parked_dead: int = 0
    timers_due: int = 0
    timers_late_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What does not make the service unhealthy, and somebody should look at."""

    def judge(self) -> None:
        """Name what is unhealthy, in words."""
        if self.outbox_age_seconds > OUTBOX_SECONDS_MAX:
            self.problems.append(f"its oldest message has waited {self.outbox_age_seconds:.0f} s to be said")
        if self.timers_late_seconds > TIMER_SECONDS_MAX:
            self.problems.append(f"a timer is {self.timers_late_seconds:.0f} s late")
        if self.lag > LAG_MAX:
            self.problems.append(f"{self.lag} records are not read yet")

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "healthy": not self.problems}


async def health_of(connection: Connection, now: datetime) -> list[Health]:
    """Return how each service is; ``CommandError`` when Kafka or PostgreSQL cannot be asked at all."""
    ends, settings = await _ends(connection), connection.settings()
    found = []
    for service in SERVICES:
        health = Health(service, connection.pids.get(service), connection.http.get(service))
        async with schema(connection.postgres, service) as tables:
            await _read_tables(tables, health, ends, now)
            waiting = await parking_lot.waiting(tables)
            gone = await missed.lately(tables, now)
        _count_parked(health, waiting)
        health.warnings += filter(None, (parked_warning(waiting, now, settings), missed_warning(gone)))
        found.append(health)
    await asyncio.gather(*(_ask(health) for health in found))
    for health in found:
        health.judge()
    return found


async def _read_tables(
    tables: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]",
    health: Health,
    ends: Mapping[tuple[str, int], int],
    now: datetime,
) -> None:
    outbox = await tables.fetchrow(OUTBOX, now)
    timers = await tables.fetchrow(TIMERS, now)
    marks = await offsets.marks(tables)
    if outbox is not None and outbox["rows"]:
        health.outbox_rows, health.outbox_age_seconds = outbox["rows"], max(outbox["age"], 0.0)
    if timers is not None and timers["due"]:
        health.timers_due, health.timers_late_seconds = timers["due"], timers["late"]
    health.lag = sum(max(ends.get(place, mark) - mark, 0) for place, mark in marks.items())


def _count_parked(health: Health, waiting: Mapping[str, Waiting]) -> None:
    counts = {status: found.records for status, found in waiting.items()}
    health.parked_retry, health.parked_dead = counts.get("retry", 0), counts.get("dead", 0)


async def _ends(connection: Connection) -> dict[tuple[str, int], int]:
    """Return the end of each partition by the topic's name without prefix."""
    settings = connection.settings()
    async with reader(settings, list(TOPICS)) as consumer:
        ends = await ends_of(consumer)
    return {_place(place, settings.topic_prefix): end for place, end in ends.items()}


def _place(place: TopicPartition, prefix: str) -> tuple[str, int]:
    return place.topic.removeprefix(prefix), place.partition


async def _ask(health: Health) -> None:
    if health.url is None:
        return
    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
            response = await client.get(f"{health.url}/health/ready")
    except httpx.HTTPError:
        health.ready = False
        health.problems.append("its process does not answer")
        return
    health.ready = response.status_code == _OK
    if not health.ready:
        health.problems.append(f"not ready: {_lacking(response.content)}")


def _lacking(content: bytes) -> str:
    try:
        checks = orjson.loads(content)["checks"]
        return ", ".join(f"{name} {answer}" for name, answer in checks.items() if answer != "ok")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return "no reason given"


async def breaches_of(connection: Connection) -> dict[str, int] | None:
    """Return desk's counts of what was not kept, or ``None`` when desk cannot be asked."""
    from services.cli.desk import ask

    if "desk" not in connection.http:
        return None
    try:
        answer = await ask(connection.http["desk"], "/api/summary")
    except CommandError:
        return None
    return {
        "clocks": answer["clocks_breached"],
        "promises": answer["promises_breached"],
        "cases_open": answer["cases_open"],
    }
