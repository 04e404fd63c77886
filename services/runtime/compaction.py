"""How do marks and leases stay small while vacuum may remove nothing?

They are few rows that change all the time. As long as any transaction is open, every version of them stays, and whoever
looks one up passes over all (ADR 0021). So when such a table is nearly all dead rows, it is written anew.
"""

import asyncio

from services.runtime.database import Pool
from services.runtime.lifecycle import wait

PAUSE_SECONDS = 10.0
TABLES = ("koff", "outbox_leases")
"""A snapshot older than a truncate sees nothing of a table that it comes to later. Marks stand in Kafka, too, and
leases are made anew: of tables that say more this may not be done."""
COMPACT = """
-- compaction.compact: write a table anew of which far more rows are dead than alive, if nobody has a hand on it. The
-- snapshot that reads it must be younger than the lock
DO $$
DECLARE
    kept {table}[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' OR NOT EXISTS (
        SELECT FROM pg_stat_all_tables WHERE relid = '{table}'::regclass
            AND n_live_tup <= 10000 AND n_dead_tup > 1000 AND n_dead_tup > 20 * n_live_tup
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '20ms', true);
    LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT;
    kept := ARRAY (SELECT {table} FROM {table});
    TRUNCATE {table};
    INSERT INTO {table} SELECT * FROM unnest(kept);
EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN
    NULL;
END
$$
"""


async def compaction_loop(pool: Pool, stopping: asyncio.Event) -> None:
    """Look after the tables until told to stop."""
    while not stopping.is_set():
        for table in TABLES:
            await compact(pool, table)
        await wait(stopping, PAUSE_SECONDS)


async def compact(pool: Pool, table: str) -> None:
    """Write a table anew if that makes it much smaller; who is in its way is not waited for."""
    async with pool.acquire() as connection:
        await connection.execute(COMPACT.format(table=table))
