"""How does a service reach its own schema, and which of PostgreSQL's errors pass by themselves?"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson

from services.runtime.errors import StartError, TransientError
from services.runtime.settings import Settings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

CONNECT_SECONDS = 5.0
ARRAYS = """
-- arrays.meet: the types of column that our statements are given
SELECT NULL::bool[], NULL::bytea[], NULL::bigint[], NULL::integer[], NULL::smallint[], NULL::text[],
    NULL::timestamptz[], NULL::uuid[], NULL::jsonb[]
"""
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The connection is lost or cannot be had: nothing is known to be wrong with the work.

asyncpg (0.32) says ``InternalClientError`` to whoever uses a connection between the server's last word and its end.
"""
PASSING = (
    TransientError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
)
"""Conflict, deadlock, time-out: the same work may succeed at once."""


def is_away(error: BaseException) -> bool:
    """Tell whether PostgreSQL itself is away, so that trying again must wait for it to come back."""
    return isinstance(error, AWAY) and not _is_misuse(error)


def is_transient(error: BaseException) -> bool:
    """Tell whether the same work may succeed later without anybody changing anything."""
    return is_away(error) or isinstance(error, PASSING)


def _is_misuse(error: BaseException) -> bool:
    """Tell a bug of ours from a lost connection: asyncpg says ``InterfaceError`` for both."""
    return isinstance(error, asyncpg.InterfaceError) and not re.search(
        r"clos(ed|ing)|released|connection.*(lost|terminat)",
        str(error),
    )


def address(dsn: str) -> str:
    """Return host, port and database of a DSN and nothing secret."""
    parts = urlsplit(dsn)
    extra = parse_qs(parts.query)
    host = parts.hostname or extra.get("host", ["the local socket"])[0]
    port = parts.port or extra.get("port", ["5432"])[0]
    return f"{host}:{port}{parts.path}"


@asynccontextmanager
async def open_pool(settings: Settings, service: str) -> AsyncIterator[Pool]:
    """Give a pool whose connections see the schema of this service; ``StartError`` when the server stays away.

    A statement, a wait for a lock and an idle transaction all have an end, so that nothing stands for ever.
    """
    pool = await _connected(settings, service)
    try:
        yield pool
    finally:
        await _close(pool)


async def _close(pool: Pool) -> None:
    """Close in good order while the server answers, else cut."""
    try:
        async with asyncio.timeout(1.0):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _connected(settings: Settings, service: str) -> Pool:
    """Try until the server answers or the patience of ``start_wait_seconds`` is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_wait_seconds
    while True:
        try:
            return await _create(settings, service)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as refusal:
            raise _unreachable(settings, refusal) from None
        except AWAY as problem:
            if loop.time() + 0.25 >= deadline:
                raise _unreachable(settings, problem) from None
        await asyncio.sleep(0.25)


def _unreachable(settings: Settings, problem: BaseException) -> StartError:
    reason = str(problem) or type(problem).__name__
    where = address(settings.postgres_dsn.get_secret_value())
    return StartError(f"CASELOOP_POSTGRES_DSN: PostgreSQL at {where}: {reason}; start it or set the key to its address")


async def _create(settings: Settings, service: str) -> Pool:
    return await asyncpg.create_pool(
        settings.postgres_dsn.get_secret_value(),
        min_size=2,
        max_size=settings.pool_connections_max,
        timeout=CONNECT_SECONDS,
        command_timeout=settings.statement_timeout_seconds + 5.0,
        max_inactive_connection_lifetime=0,
        init=_prepare,
        reset=_reset,
        server_settings={
            "application_name": f"caseloop-{service}",
            "search_path": service,
            "timezone": "UTC",
            "default_transaction_isolation": "read committed",
            "statement_timeout": _milliseconds(settings.statement_timeout_seconds),
            "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(settings.idle_transaction_timeout_seconds),
            "jit": "off",
        },
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


async def _prepare(connection: Connection) -> None:
    """Let json and jsonb come and go as Python values, and make the arrays of our statements known.

    asyncpg asks PostgreSQL for a type when a connection first meets it; here it asks once for all of them, instead of
    in the middle of the first transactions of each connection.
    """
    await connection.set_type_codec("json", encoder=_dump, decoder=orjson.loads, schema="pg_catalog", format="binary")
    await connection.set_type_codec("jsonb", encoder=_dump_b, decoder=_load_b, schema="pg_catalog", format="binary")
    await connection.fetchval(ARRAYS)


async def _reset(connection: Connection) -> None:
    """Save asyncpg's reset, a round trip per transaction: only a transaction that was cut leaves anything behind."""
    if connection.is_in_transaction():
        await connection.reset()


def _dump(value: object) -> bytes:
    return orjson.dumps(value)


def _dump_b(value: object) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _load_b(value: bytes) -> Any:  # noqa: ANN401 - whatever the column holds
    return orjson.loads(value[1:])
