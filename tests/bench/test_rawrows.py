"""Does the raw work leave the product's tables alone, and does it change rows at all?"""

import asyncpg

from services.runtime.migrations import migrate
from tests.bench.rawrows import BATCHES, ROUTER, rates
from tests.support.servers import fresh_database

CASE = """
INSERT INTO router.cases (
    case_id, version, state, channel, units, points, target_seconds, aged_from, band_floor, queued_at, body
)
SELECT gen_random_uuid(), 7, 'closed', 'chat', 1, 1, 60, now(), 0, now(), 'body' FROM generate_series(1, 600)
"""


async def test_copies_are_changed_and_the_originals_are_not(postgres_dsn: str) -> None:
    async with fresh_database(postgres_dsn) as dsn:
        connection = await asyncpg.connect(dsn)
        await migrate(connection, "router")
        await connection.execute(CASE)
        found = await rates(dsn, ROUTER, [b"said"])
        versions = await connection.fetchval("SELECT array_agg(DISTINCT version) FROM router.cases")
        inbox = await connection.fetchval("SELECT count(*) FROM router.inbox")
        await connection.close()

    assert set(found.by_batch) == set(BATCHES)
    assert found.by_batch[500] > found.by_batch[1] > 0
    assert found.wal_bytes > 0
    assert versions == [7]
    assert inbox == 0
