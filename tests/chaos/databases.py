"""Rows 21 to 23, 25 to 28, 30, and one more: what when PostgreSQL dies, is full, is locked, or cuts the line?"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil

from deploy.local import start_postgres
from tests.chaos.load import slowest
from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.proxy import HEALTHY, Faults

AWAY_SECONDS = 5.0
LONG_AWAY_SECONDS = 60.0
IDLE_CONNECTIONS = 300
STEADY = 0.9
"""What must be left of the pace while an idle transaction pins the oldest rows."""
OTHERS_SECONDS = 8.0
"""So long another case may take while one is locked: the wait for the lock, once."""
MORE = "CREATE TEMPORARY TABLE more AS SELECT md5(random()::text) FROM generate_series(1, 500000)"
TERMINATE = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'caseloop-%' AND pid <> pg_backend_pid()
"""


@row("21", "connections of the services are cut by PostgreSQL, one or a few each half second")
async def backends_are_terminated(rig: Rig) -> None:
    cut = 0
    async with rig.database("router") as database:
        for _ in range(16):
            some = "ORDER BY random() LIMIT $1"
            cut += len(await database.fetch(f"{TERMINATE} {some}", rig.dice.randint(1, 4)))
            await rig.wait(0.5)
    rig.hurt(cut, 10, "terminated")


@row("22", "PostgreSQL is stopped at once, without a checkpoint, and started again", own_postgres=True)
async def postgres_dies(rig: Rig) -> None:
    await _away(rig, AWAY_SECONDS)


@row("postgres-away", "PostgreSQL is away for a minute; no process is restarted", own_postgres=True)
async def postgres_is_away(rig: Rig) -> None:
    before = await rig.pids()
    await _away(rig, LONG_AWAY_SECONDS)
    rig.nobody_ended(before, await rig.pids())


@row("23", "a process of PostgreSQL is killed: the server goes through crash recovery", own_postgres=True)
async def a_backend_dies(rig: Rig) -> None:
    for _ in range(2):
        children = psutil.Process(rig.servers.postgres.pid).children(recursive=True)
        os.kill(rig.dice.choice([each.pid for each in children]), signal.SIGKILL)
        await rig.wait(rig.between(1.0, 3.0))
    await _answers(rig)


@row("25", "PostgreSQL's disk is full for some seconds", own_postgres=True, postgres_megabytes=1024)
async def the_disk_is_full(rig: Rig) -> None:
    filler = rig.servers.postgres.data_dir.parent / "filler"
    free = shutil.disk_usage(filler.parent).free
    with contextlib.suppress(OSError):
        await asyncio.to_thread(_fill, filler, free)
    rig.figures["bytes_left"] = shutil.disk_usage(filler.parent).free
    await rig.wait(AWAY_SECONDS)
    rig.hurt(int(await _refuses(rig)), 1, "refused_for_space")
    filler.unlink()
    if not rig.servers.postgres.process.is_running():
        await _start_postgres(rig)
    await _answers(rig)


async def _refuses(rig: Rig) -> bool:
    """Tell whether PostgreSQL takes no more, or has given up altogether."""
    try:
        async with rig.database("router") as database:
            await database.execute(MORE)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return True
    return False


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // 65_536 + 2):
            file.write(bytes(65_536))


@row("26", "somebody takes every connection that PostgreSQL has", own_postgres=True)
async def connections_run_out(rig: Rig) -> None:
    tries = await asyncio.gather(*(_taken(rig) for _ in range(IDLE_CONNECTIONS)))
    held = [connection for connection in tries if connection is not None]
    rig.hurt(len(held), 20, "connections_held")
    rig.hurt(len(tries) - len(held), 1, "connections_refused")
    await rig.kill("router")
    await rig.wait(AWAY_SECONDS)
    for connection in held:
        connection.terminate()


async def _taken(rig: Rig) -> "asyncpg.Connection[asyncpg.Record] | None":
    """Return a connection, or nothing once there is none left."""
    try:
        return await asyncpg.connect(rig.addresses.postgres)
    except asyncpg.TooManyConnectionsError:
        return None


@row("27", "an idle transaction pins the oldest rows for 20 s")
async def a_transaction_stands_idle(rig: Rig) -> None:
    async with rig.database("router") as database, _open(database):
        await database.fetchval("SELECT txid_current(), count(*) FROM cases")
        await rig.goes_on(20.0, STEADY)


@row("28", "somebody holds the lock of one case for 15 s while commands come for it")
async def a_case_is_locked(rig: Rig) -> None:
    async with rig.another_driver() as driver, rig.database("router") as database:
        await driver.contact()
        await driver.until_told(1, 30.0)
        (case_id,) = driver.told
        await rig.wait(1.0)
        async with _open(database):
            await database.execute("SELECT FROM cases WHERE case_id = $1 FOR UPDATE", case_id)
            began = time.perf_counter()
            for step in range(3):
                await driver.command("record_progress", case_id, step=f"step {step}", action="looked")
                await rig.wait(5.0)
    took = slowest(rig.driver, began - 1, began + 10)
    rig.figures["others_p99_seconds"] = took
    if took > OTHERS_SECONDS:
        rig.slow.append(f"other cases: p99 {took} s")


@row("30", "the line to PostgreSQL is cut behind the commit, before its answer", postgres_door=True)
async def commits_are_not_answered(rig: Rig) -> None:
    door = rig.postgres_door
    if door is None:
        raise AssertionError("the row needs a door")
    for _ in range(8):
        door.faults = Faults(cut_behind=b"COMMIT")
        await rig.wait(rig.between(0.2, 0.6))
        door.faults = HEALTHY
        await rig.wait(0.5)
    rig.hurt(door.cut_off, 4, "commits_unanswered")


@contextlib.asynccontextmanager
async def _open(database: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[None]:
    """Stay inside a transaction that is given up in the end."""
    transaction = database.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def _away(rig: Rig, seconds: float) -> None:
    """Stop PostgreSQL as a crash would, and start it again after so long."""
    await asyncio.to_thread(rig.servers.postgres.kill)
    await rig.wait(seconds)
    await _start_postgres(rig)


async def _start_postgres(rig: Rig) -> None:
    rig.servers.postgres = await asyncio.to_thread(start_postgres, rig.servers.postgres.data_dir)
    await _answers(rig)


async def _answers(rig: Rig) -> None:
    """Wait until the server takes work again."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with rig.database("router") as database:
                    await database.fetchval("SELECT count(*) FROM cases")
                return
            await asyncio.sleep(0.1)
