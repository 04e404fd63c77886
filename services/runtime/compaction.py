"""How do marks and leases stay small while vacuum may remove nothing?

They are few rows that change all the time. As long as any transaction is open, every version of them stays, and whoever
looks one up passes over all (ADR 0021). So when such a table is nearly all dead rows, it is written anew.
"""

import asyncio

from services.runtime.database import Pool
from services.runtime.lifecycle import wait

PAUSE_SECONDS = 10.0
AGAIN_SECONDS = 2.0
"""Pause when a table was found too large: who had a hand on it is gone soon, and is not waited for."""
TABLES = ("koff", "outbox_leases")
"""A snapshot older than a truncate sees nothing of a table that it comes to later. Marks stand in Kafka, too, and
leases are made anew: of tables that say more this may not be done."""
TOO_LARGE = """
-- compaction.too_large: has this table far more dead rows than live ones?
SELECT EXISTS (
    SELECT FROM pg_stat_all_tables WHERE relid = $1::text::regclass
        AND n_live_tup <= 10000 AND n_dead_tup > 1000 AND n_dead_tup > 20 * n_live_tup
)
"""
COMPACT = """
-- compaction.compact: write a table anew, if nobody has a hand on it. The snapshot that reads it must be younger than
-- the lock. Unless the statistics are told at once, others would find the table too large for a while yet
DO $$
DECLARE
    kept {table}[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '20ms', true);
    LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT;
    kept := ARRAY (SELECT {table} FROM {table});
    TRUNCATE {table};
    INSERT INTO {table} SELECT * FROM unnest(kept);
    PERFORM pg_stat_force_next_flush();
EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN
    NULL;
END
$$
"""


async def compaction_loop(pool: Pool, stopping: asyncio.Event) -> None:
    """Look after the tables until told to stop."""
    while not stopping.is_set():
        tried = [await compact(pool, table) for table in TABLES]
        await wait(stopping, AGAIN_SECONDS if any(tried) else PAUSE_SECONDS)


async def compact(pool: Pool, table: str) -> bool:
    """Write a table anew if that makes it much smaller and nobody is in the way; return whether it was too large."""
    async with pool.acquire() as connection:
        too_large: bool = await connection.fetchval(TOO_LARGE, table)
        if too_large:
            await connection.execute(COMPACT.format(table=table))
        return too_large
