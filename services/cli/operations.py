"""How does an operator prepare PostgreSQL and Kafka for the services?"""

from collections.abc import Mapping

import asyncpg

from services.cli.connection import HERE, NOTHING, SERVICES, Connection, Where, find
from services.cli.output import console, print_json
from services.cli.schemas import unreachable
from services.runtime import kafka
from services.runtime.database import AWAY, CONNECT_SECONDS
from services.runtime.migrations import migrate as migrate_schema


async def migrate(*, json: bool = False, where: Where = HERE) -> None:
    """Bring the schemas of all services up to date; safe to repeat, and to run from several places at once.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    applied = await apply_migrations(find(where).postgres)
    if json:
        print_json({"applied": applied})
        return
    for service, names in applied.items():
        console().print(f"{service:<9} {', '.join(names) if names else 'up to date'}")


async def topics(*, json: bool = False, where: Where = HERE) -> None:
    """Create the topics that are not there yet; never changes one that is.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    made = await make_topics(find(where))
    if json:
        print_json({"created": made})
    else:
        console().print(f"created {', '.join(made)}" if made else "all topics are there")


async def apply_migrations(dsn: str) -> dict[str, list[str]]:
    """Return the migrations that each service's schema got now."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (*AWAY, asyncpg.PostgresError, ValueError) as problem:
        raise unreachable(dsn, problem) from None
    try:
        return {service: await migrate_schema(connection, service) for service in SERVICES}
    finally:
        await connection.close()


async def make_topics(connection: Connection, given: Mapping[str, str] = NOTHING) -> list[str]:
    """Return the topics that were made now; ``given`` are settings that hold where the environment says nothing."""
    return await kafka.create_topics(connection.settings(given))
