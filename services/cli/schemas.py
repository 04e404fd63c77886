"""How does a command look into the schema of a service?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson

from services.cli.failures import CommandError
from services.runtime.database import AWAY, CONNECT_SECONDS, Connection, address


@asynccontextmanager
async def schema(dsn: str, service: str) -> AsyncIterator[Connection]:
    """Give a connection that sees the tables of this service; ``CommandError`` when the server is not there."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, command_timeout=60, server_settings={"search_path": service}
        )
    except (*AWAY, asyncpg.PostgresError, ValueError) as problem:
        raise unreachable(dsn, problem) from None
    try:
        await connection.set_type_codec("jsonb", encoder=_text, decoder=orjson.loads, schema="pg_catalog")
        yield connection
    except asyncpg.UndefinedTableError:
        raise CommandError(f"the tables of {service} are missing; run `caseloop migrate`") from None
    finally:
        await connection.close()


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def unreachable(dsn: str, problem: BaseException) -> CommandError:
    """Return the failure for a server that is not there, or does not let us in."""
    reason = " ".join(str(problem or type(problem).__name__).split())
    return CommandError(f"PostgreSQL at {address(dsn)}: {reason}; start it or give its address with --postgres")
