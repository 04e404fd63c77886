"""Do a schema's tables come once, in order, and never from an edited file?"""

import asyncio
import secrets
from dataclasses import replace

import asyncpg
import pytest

from services.runtime import migrations
from services.runtime.errors import StartError


@pytest.fixture
def schema() -> str:
    return f"tiny_{secrets.token_hex(4)}"


async def migrated(dsn: str, schema: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return await migrations.migrate(connection, schema)
    finally:
        await connection.close()


async def missing(dsn: str, schema: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return await migrations.missing_migrations(connection, schema)
    finally:
        await connection.close()


async def test_rivals_apply_each_file_once(postgres_dsn: str, schema: str) -> None:
    names = [migration.name for migration in migrations.migrations_of(schema)]
    assert names[0] == "runtime/0001_runtime.sql"
    assert await missing(postgres_dsn, schema) == names

    applied = await asyncio.gather(*(migrated(postgres_dsn, schema) for _ in range(4)))

    assert sorted(applied) == [[], [], [], names]
    assert await missing(postgres_dsn, schema) == []


async def test_analyze_takes_small_samples_of_every_table_but_where_somebody_wants_others(
    postgres_dsn: str, schema: str
) -> None:
    await migrated(postgres_dsn, schema)
    connection = await asyncpg.connect(postgres_dsn, server_settings={"search_path": schema})
    targets = """
        SELECT attrelid::regclass::text || '.' || attname AS place, attstattarget::int AS target
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
    """
    found = {row["place"]: row["target"] for row in await connection.fetch(targets)}
    assert set(found.values()) == {10}
    await connection.execute("ALTER TABLE outbox ALTER COLUMN bucket SET STATISTICS 500")
    await connection.execute("ALTER TABLE outbox ALTER COLUMN frames SET STATISTICS -1")
    await migrated(postgres_dsn, schema)
    assert {row["place"]: row["target"] for row in await connection.fetch(targets)} == found | {"outbox.bucket": 500}
    await connection.close()


async def test_small_samples_stop_at_tables_of_others_and_at_those_that_are_locked(
    postgres_dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT", "SET LOCAL lock_timeout = '10ms'")
    await migrated(postgres_dsn, schema)
    owner = f"{schema}_owner"
    stranger, holder = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    await stranger.execute(f"CREATE TABLE {schema}.kept_aside (note text); CREATE ROLE {owner}")
    await stranger.execute(f"GRANT ALL ON SCHEMA {schema} TO {owner}")
    for table in ("migrations", "outbox", "inbox"):
        await stranger.execute(f"ALTER TABLE {schema}.{table} OWNER TO {owner}")
    await stranger.execute(f"ALTER TABLE {schema}.outbox ALTER COLUMN frames SET STATISTICS -1")
    await stranger.execute(f"ALTER TABLE {schema}.inbox ALTER COLUMN received_at SET STATISTICS -1")
    async with holder.transaction():
        await holder.execute(f"LOCK TABLE {schema}.outbox IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does
        await stranger.execute(f"SET ROLE {owner}")
        assert await migrations.migrate(stranger, schema) == []
    targets = "SELECT attname FROM pg_attribute WHERE attrelid = any ($1::regclass[]) AND attstattarget = 10"
    places = [f"{schema}.{table}" for table in ("kept_aside", "outbox", "inbox")]
    changed = {row["attname"] for row in await stranger.fetch(targets, places)}
    assert "received_at" in changed
    assert changed.isdisjoint({"note", "frames"})
    await stranger.execute("RESET ROLE")
    await stranger.execute(f"DROP SCHEMA {schema} CASCADE; DROP ROLE {owner}")
    await stranger.close()
    await holder.close()


async def test_a_file_that_was_edited_after_it_was_applied_is_refused(
    postgres_dsn: str,
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await migrated(postgres_dsn, schema)
    edited = [replace(each, checksum="0" * 64) for each in migrations.migrations_of(schema)]
    monkeypatch.setattr(migrations, "migrations_of", lambda _: edited)
    with pytest.raises(StartError, match=r"0001_runtime\.sql .* was changed after it was applied"):
        await migrated(postgres_dsn, schema)


async def test_a_file_that_fails_leaves_nothing_and_is_applied_after_a_fix(
    postgres_dsn: str,
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = migrations.migrations_of(schema)
    broken = [*good, migrations.Migration("tiny/0001.sql", "CREATE TABLE half (a int); SELECT 1 / 0", "1")]
    monkeypatch.setattr(migrations, "migrations_of", lambda _: broken)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrated(postgres_dsn, schema)
    assert await missing(postgres_dsn, schema) == ["tiny/0001.sql"]

    fixed = [*good, migrations.Migration("tiny/0001.sql", "CREATE TABLE half (a int)", "2")]
    monkeypatch.setattr(migrations, "migrations_of", lambda _: fixed)
    assert await migrated(postgres_dsn, schema) == ["tiny/0001.sql"]
