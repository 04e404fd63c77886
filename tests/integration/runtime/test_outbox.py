"""Does the outbox hold what a transaction said, in order, and nothing of one that failed?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from uuid import uuid4

import asyncpg
import pytest

from contracts.topics import RECORD_BYTES_MAX
from services.runtime import outbox
from services.runtime.database import Connection
from services.runtime.errors import MessageTooLargeError
from services.runtime.frames import unpack
from services.runtime.work import Outgoing
from tests.support.floor import CASES, NOW, migrated_pool, milestone, settings_for

SOURCE = "caseloop/test"


async def test_a_call_makes_one_row_per_bucket_and_keeps_the_order(postgres_dsn: str, kafka_bootstrap: str) -> None:
    said = [milestone(case, number) for number in range(5) for case in CASES]
    async with migrated_pool(settings_for(postgres_dsn, kafka_bootstrap)) as pool, pool.acquire() as connection:
        rows = await outbox.append(connection, SOURCE, said, NOW)
        stored = await connection.fetch("SELECT bucket, frames FROM outbox ORDER BY id")

    assert len(stored) == rows == len({row["bucket"] for row in stored})
    for row in stored:
        frames = list(unpack(row["frames"]))
        assert {outbox.bucket_of(frame.key) for frame in frames} == {row["bucket"]}
    for case in CASES:
        frames = [frame for row in stored for frame in unpack(row["frames"]) if frame.key == str(case).encode()]
        assert [dict(frame.headers)["ce_id"].decode() for frame in frames] == [
            str(milestone(case, number).message_id) for number in range(5)
        ]


async def test_a_transaction_that_is_rolled_back_says_nothing(postgres_dsn: str, kafka_bootstrap: str) -> None:
    async with migrated_pool(settings_for(postgres_dsn, kafka_bootstrap)) as pool, pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await outbox.append(connection, SOURCE, [milestone(CASES[0], 1)], NOW)
        await transaction.rollback()

        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_message_that_no_broker_takes_is_refused_before_anything_is_stored(
    postgres_dsn: str,
    kafka_bootstrap: str,
) -> None:
    good = milestone(CASES[0], 1)
    large = Outgoing(good.message, good.message_id, value=b"x" * (RECORD_BYTES_MAX + 1))
    async with migrated_pool(settings_for(postgres_dsn, kafka_bootstrap)) as pool, pool.acquire() as connection:
        with pytest.raises(MessageTooLargeError, match="ReachMilestone has 1048577 bytes") as refused:
            await outbox.append(connection, SOURCE, [good, large], NOW)

        assert refused.value.reason == "too_large"
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


@asynccontextmanager
async def two_sessions(postgres_dsn: str, kafka_bootstrap: str) -> AsyncIterator[tuple[Connection, Connection]]:
    async with (
        migrated_pool(settings_for(postgres_dsn, kafka_bootstrap)) as pool,
        pool.acquire() as one,
        pool.acquire() as other,
    ):
        yield one, other


SIZE = "SELECT pg_relation_size('outbox') + pg_relation_size('outbox_bucket_id')"


async def test_an_empty_outbox_takes_no_space_though_an_old_transaction_might_still_see_what_was_there(
    postgres_dsn: str, kafka_bootstrap: str
) -> None:
    async with (
        two_sessions(postgres_dsn, kafka_bootstrap) as (report, connection),
        report.transaction(isolation="repeatable_read", readonly=True),
    ):
        await report.execute("SELECT FROM koff")
        empty = await connection.fetchval(SIZE)
        for number in range(20):
            await outbox.append(connection, SOURCE, [milestone(case, number) for case in CASES], NOW)
        await connection.execute("DELETE FROM outbox")
        await connection.execute("VACUUM outbox")
        assert await connection.fetchval(SIZE) > empty
        await outbox.retire(connection)
        assert await connection.fetchval(SIZE) <= empty
        await outbox.append(connection, SOURCE, [milestone(CASES[0], 20)], NOW)


async def test_nothing_that_waits_or_is_just_being_said_is_retired(postgres_dsn: str, kafka_bootstrap: str) -> None:
    async with two_sessions(postgres_dsn, kafka_bootstrap) as (writer, connection):
        async with writer.transaction():
            await outbox.append(writer, SOURCE, [milestone(CASES[0], 1)], NOW)
            await outbox.retire(connection)
        await outbox.retire(connection)
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 1


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_what_an_old_snapshot_does_not_show_is_not_taken_for_gone(
    postgres_dsn: str, kafka_bootstrap: str, isolation: Literal["repeatable_read", "serializable"]
) -> None:
    async with two_sessions(postgres_dsn, kafka_bootstrap) as (writer, connection):
        transaction = connection.transaction(isolation=isolation)
        await transaction.start()
        await connection.execute("SELECT FROM koff")
        await outbox.append(writer, SOURCE, [milestone(CASES[0], 1)], NOW)
        await outbox.retire(connection)
        await transaction.commit()
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 1


async def test_who_is_at_the_large_values_of_the_outbox_is_not_waited_for(
    postgres_dsn: str, kafka_bootstrap: str
) -> None:
    async with two_sessions(postgres_dsn, kafka_bootstrap) as (vacuum, connection):
        large = await vacuum.fetchval(
            "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'outbox'::regclass"
        )
        await outbox.append(connection, SOURCE, [milestone(CASES[0], 1)], NOW)
        await connection.execute("DELETE FROM outbox")
        size = await connection.fetchval(SIZE)
        async with vacuum.transaction():
            await vacuum.execute(f"SELECT FROM {large}")
            async with asyncio.timeout(1):
                await outbox.retire(connection)
        assert await connection.fetchval(SIZE) == size


async def test_whoever_may_not_empty_a_table_leaves_it(postgres_dsn: str, kafka_bootstrap: str) -> None:
    async with migrated_pool(settings_for(postgres_dsn, kafka_bootstrap)) as pool, pool.acquire() as connection:
        role = f"guest_{uuid4().hex}"
        schema = await connection.fetchval("SELECT quote_ident(current_schema())")
        await connection.execute(
            f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; "
            f"GRANT SELECT, INSERT, DELETE ON outbox TO {role}; SET ROLE {role}"
        )
        await outbox.retire(connection)
        await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")


async def test_json_comes_and_goes_as_values_and_sessions_have_their_limits(
    postgres_dsn: str,
    kafka_bootstrap: str,
) -> None:
    settings = settings_for(postgres_dsn, kafka_bootstrap, statement_timeout_seconds=0.2)
    value = {"text": "登录", "numbers": [1, 2], "none": None}
    async with migrated_pool(settings) as pool:
        assert await pool.fetchval("SELECT $1::jsonb", value) == value
        assert await pool.fetchval("SELECT $1::json", value) == value
        assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == "15s"
        assert await pool.fetchval("SHOW lock_timeout") == "3s"
        with pytest.raises(asyncpg.QueryCanceledError):
            await pool.fetchval("SELECT pg_sleep(5)")
