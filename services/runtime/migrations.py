"""Which tables does a service need, and how do they get there?

Numbered SQL files, the runtime's before the service's own, each in a transaction of its own, all under one advisory
lock, recorded with their checksum. A file that was applied is never edited: a change is a new file.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.runtime.errors import StartError

if TYPE_CHECKING:
    from services.runtime.database import Connection

SERVICES = Path(__file__).resolve().parents[1]

CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
LOCK = "SELECT pg_advisory_lock(hashtextextended($1::text || ':migrations', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended($1::text || ':migrations', 0))"
LIST_APPLIED = "SELECT name, checksum FROM migrations"
RECORD_APPLIED = "INSERT INTO migrations (name, checksum) VALUES ($1, $2)"
HAS_RECORD = "SELECT to_regclass('migrations') IS NOT NULL"
CREATE_SCHEMA = "SELECT format('CREATE SCHEMA IF NOT EXISTS %I', $1::text)"
SCHEMA_EXISTS = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"
USE_SCHEMA = "SELECT set_config('search_path', quote_ident($1), false)"
LOCK_WAIT = "SET LOCAL lock_timeout = '5s'"
"""A migration that cannot have its lock gives up instead of standing in front of everybody else."""

SMALL_SAMPLES = """
-- migrations.small_samples: ANALYZE reads 300 rows for each of the parts into which it divides the finest column, and a
-- young table is analysed at nearly every look of autovacuum. Our statements find rows by their keys: 10 parts instead
-- of 100 tell the planner as much as it needs, at a fifth of the price. A column that has a number of its own keeps it.
-- It is worth no failure: a table that somebody is just vacuuming waits for the next time, and others' are theirs.
DO $$
DECLARE
    small record;
BEGIN
    FOR small IN
        SELECT attrelid::regclass AS place,
            string_agg(format('ALTER COLUMN %I SET STATISTICS 10', attname), ', ') AS parts
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = current_schema() AND relkind = 'r' AND pg_has_role(relowner, 'USAGE')
            AND attnum > 0 AND NOT attisdropped AND coalesce(attstattarget, -1) = -1
        GROUP BY attrelid
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s %s', small.place, small.parts);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
END
$$
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name as recorded, its text, and the checksum of the text."""

    name: str
    sql: str
    checksum: str


def migrations_of(service: str) -> list[Migration]:
    """Return the runtime's migrations and then the service's own, each in the order of their numbers."""
    folders = [(owner, SERVICES / owner / "migrations") for owner in ("runtime", service)]
    return [_read(owner, path) for owner, folder in folders for path in sorted(folder.glob("*.sql"))]


async def migrate(connection: "Connection", service: str) -> list[str]:
    """Bring the service's schema up to date and return the names of the files that were applied now.

    Safe to call from several processes at once: the second waits and finds nothing to do. The connection's
    ``search_path`` is the service's schema afterwards.
    """
    await connection.execute(LOCK, service)
    try:
        if not await connection.fetchval(SCHEMA_EXISTS, service):
            await connection.execute(await connection.fetchval(CREATE_SCHEMA, service))
        await connection.execute(USE_SCHEMA, service)
        await connection.execute(CREATE_RECORD)
        missing = _missing(service, migrations_of(service), await _applied(connection))
        for migration in missing:
            async with connection.transaction():
                await connection.execute(LOCK_WAIT)
                await connection.execute(migration.sql)
                await connection.execute(RECORD_APPLIED, migration.name, migration.checksum)
        async with connection.transaction():
            await connection.execute(LOCK_WAIT)
            await connection.execute(SMALL_SAMPLES)
    finally:
        await connection.execute(UNLOCK, service)
    return [migration.name for migration in missing]


async def missing_migrations(connection: "Connection", service: str) -> list[str]:
    """Return the names of the files that the service's schema still lacks; readiness asks this."""
    if not await connection.fetchval(SCHEMA_EXISTS, service):
        return [migration.name for migration in migrations_of(service)]
    async with connection.transaction(readonly=True):
        await connection.execute("SELECT set_config('search_path', quote_ident($1), true)", service)
        applied = await _applied(connection) if await connection.fetchval(HAS_RECORD) else {}
    return [migration.name for migration in _missing(service, migrations_of(service), applied)]


async def _applied(connection: "Connection") -> dict[str, str]:
    return {row["name"]: row["checksum"] for row in await connection.fetch(LIST_APPLIED)}


def _missing(service: str, wanted: list[Migration], applied: dict[str, str]) -> list[Migration]:
    changed = [m.name for m in wanted if applied.get(m.name, m.checksum) != m.checksum]
    if changed:
        line = f"migration {changed[0]} of {service} was changed after it was applied"
        raise StartError(f"{line}: restore the file and put the change into a new one")
    return [migration for migration in wanted if migration.name not in applied]


def _read(owner: str, path: Path) -> Migration:
    text = path.read_text(encoding="utf-8")
    return Migration(f"{owner}/{path.name}", text, hashlib.sha256(text.encode()).hexdigest())
