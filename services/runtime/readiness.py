"""Can this process do its work at this moment, and if not, what is missing?"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from services.runtime import missed, parking_lot
from services.runtime.context import ServiceContext
from services.runtime.database import AWAY, Pool
from services.runtime.errors import StartError
from services.runtime.http import Check
from services.runtime.migrations import missing_migrations
from services.runtime.missed import missed_warning
from services.runtime.parking_lot import Waiting
from services.runtime.publishing import KafkaPublisher
from services.runtime.relay import Relay
from services.runtime.settings import Settings


async def verify_migrations(pool: Pool, service: str) -> None:
    """Raise ``StartError`` unless the schema of the service has every table of this release."""
    async with pool.acquire() as connection:
        missing = await missing_migrations(connection, service)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise StartError(f"migration {missing[0]}{more} is missing in schema {service}; run `caseloop migrate`")


def checks_of(context: ServiceContext, publisher: KafkaPublisher) -> Mapping[str, Check]:
    """Return what ``/health/ready`` asks (interface.md 6)."""
    return {
        "postgres": partial(_postgres, context),
        "kafka": partial(_kafka, publisher),
        "migrations": partial(_migrations, context),
        "policy": partial(_policy, context),
        "loops": partial(_loops, context),
    }


def warnings_of(context: ServiceContext, relay: Relay) -> Mapping[str, Check]:
    """Return what ``/health/ready`` asks besides: a service with a warning is ready, and somebody should look."""
    return {"parked": partial(_parked, context), "missed": partial(_missed, context), "outbox": partial(_outbox, relay)}


async def _parked(context: ServiceContext) -> str | None:
    try:
        return parked_warning(await parking_lot.waiting(context.pool), context.clock.now(), context.settings)
    except AWAY:
        return None


async def _missed(context: ServiceContext) -> str | None:
    try:
        return missed_warning(await missed.lately(context.pool, context.clock.now()))
    except AWAY:
        return None


async def _outbox(relay: Relay) -> str | None:
    return relay.warning()


def parked_warning(waiting: Mapping[str, Waiting], now: datetime, settings: Settings) -> str | None:
    """Return a warning when a record has been in the parking lot for too long: nobody seems to see it."""
    oldest = min((each.since for each in waiting.values()), default=now)
    age = (now - oldest).total_seconds()
    if age <= settings.parked_warning_seconds:
        return None
    return f"a record has been parked for {age / 3600:.1f} h; see `caseloop parked list`"


async def _postgres(context: ServiceContext) -> str | None:
    try:
        await context.pool.fetchval("SELECT 1")
    except AWAY as problem:
        return f"away: {type(problem).__name__}"
    return None


async def _kafka(publisher: KafkaPublisher) -> str | None:
    return None if await publisher.reachable() else "away"


async def _migrations(context: ServiceContext) -> str | None:
    try:
        await verify_migrations(context.pool, context.service)
    except StartError as lacking:
        return str(lacking)
    except AWAY:
        return "unknown while PostgreSQL is away"
    return None


async def _policy(context: ServiceContext) -> str | None:
    return None if context.policy.name else "the policy pack has no name"


async def _loops(context: ServiceContext) -> str | None:
    return "stopping" if context.stopping.is_set() else None
