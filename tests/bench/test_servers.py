"""Is PostgreSQL measured with the log files of a server that has run for a while?"""

import asyncpg

from deploy.local import PostgresServer
from tests.bench.servers import LOG_FILES, run_in

AHEAD = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn()) AND size = 16 * 2 ^ 20"


async def test_the_files_that_will_be_written_are_there(private_postgres: PostgresServer) -> None:
    await run_in(private_postgres.dsn)

    connection = await asyncpg.connect(private_postgres.dsn)
    assert await connection.fetchval(AHEAD) >= LOG_FILES - 1
    await connection.close()
