"""A row beside the matrix: what when PostgreSQL is away for a minute?"""

import asyncio

from deploy.local import start_postgres
from tests.chaos.registry import row
from tests.chaos.rig import SERVICE_NAMES, Rig

POSTGRES_AWAY_SECONDS = 60.0


@row("postgres-away", "PostgreSQL is away for a minute; no process is restarted", own_postgres=True)
async def postgres_is_away(rig: Rig) -> None:
    before = [await rig.pid(service) for service in SERVICE_NAMES]
    await asyncio.to_thread(rig.servers.postgres.kill)
    await rig.wait(POSTGRES_AWAY_SECONDS)
    rig.servers.postgres = await asyncio.to_thread(start_postgres, rig.servers.postgres.data_dir)
    after = [await rig.pid(service) for service in SERVICE_NAMES]
    if before != after:
        rig.must(lambda _, verdict: verdict.add("stuck", "the services", "some process did not wait, but ended"))
