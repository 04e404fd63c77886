"""Do the marks take no more space than they are, though vacuum may remove nothing?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

import pytest

from services.runtime import compaction
from services.runtime.compaction import COMPACT, PAUSE_SECONDS, TABLES, TOO_LARGE, compact, compaction_loop
from services.runtime.database import Connection, Pool
from tests.support.floor import until

CHURNED = 1200
SIZE = "SELECT pg_relation_size('koff')"
MARKS = "SELECT topic, partition, next_offset FROM koff ORDER BY topic, partition"


async def churned(pool: Pool, times: int) -> list[tuple[str, int, int]]:
    """Let three marks have so many versions, and return what they are."""
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO koff SELECT 'contacts', part, 0 FROM generate_series(0, 2) AS part")
        await connection.executemany("UPDATE koff SET next_offset = $1", [(number,) for number in range(times // 3)])
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("SELECT")  # what was counted is told when nothing else is to do
    return [("contacts", part, times // 3 - 1) for part in range(3)]


class Asked(asyncio.Event):
    """Counts how often a loop has asked whether to stop."""

    times = 0

    def is_set(self) -> bool:
        """Tell whether to stop."""
        self.times += 1
        return super().is_set()

    async def was_asked(self, times: int) -> bool:
        """Tell whether that was so often."""
        return self.times >= times


async def is_small(pool: Pool) -> bool:
    """Tell whether the marks take one page."""
    return bool(await pool.fetchval(SIZE) == 8192)


@asynccontextmanager
async def a_report(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as report, report.transaction(isolation="repeatable_read", readonly=True):
        await report.execute("SELECT FROM inbox")
        yield report


async def test_marks_that_are_nearly_all_dead_are_written_anew_behind_an_open_transaction(tiny: Pool) -> None:
    async with a_report(tiny):
        marks = await churned(tiny, CHURNED)
        await tiny.execute("VACUUM koff")
        before = await tiny.fetchval(SIZE)
        await compact(tiny, "koff")
        assert await tiny.fetchval(SIZE) == 8192 < before
        assert [tuple(row) for row in await tiny.fetch(MARKS)] == marks
        await tiny.execute("UPDATE koff SET next_offset = 7 WHERE topic = 'contacts' AND partition = 1")
    assert await tiny.fetchval("SELECT count(*) FROM koff WHERE next_offset = 7") == 1


@pytest.mark.parametrize("table", TABLES)
async def test_every_table_of_the_list_can_be_written_anew(tiny: Pool, table: str) -> None:
    await tiny.execute("INSERT INTO koff SELECT 'contacts', part, part FROM generate_series(0, 2) AS part")
    await tiny.execute("INSERT INTO outbox_leases SELECT bucket, 'me', now() FROM generate_series(0, 2) AS bucket")
    everything = f"SELECT * FROM {table} ORDER BY {table}"  # noqa: S608 - one of ours
    rows = await tiny.fetch(everything)
    before = await tiny.fetchval("SELECT relfilenode FROM pg_class WHERE oid = $1::regclass", table)
    await tiny.execute(COMPACT.format(table=table))
    assert await tiny.fetchval("SELECT relfilenode FROM pg_class WHERE oid = $1::regclass", table) != before
    assert await tiny.fetch(everything) == rows != []


async def test_a_table_with_few_dead_rows_is_left_as_it_is(tiny: Pool) -> None:
    async with a_report(tiny):
        await churned(tiny, CHURNED // 2)
        before = await tiny.fetchval(SIZE)
        assert not await compact(tiny, "koff")
        assert await tiny.fetchval(SIZE) == before


async def test_who_has_a_hand_on_it_is_not_waited_for(tiny: Pool) -> None:
    async with a_report(tiny):
        marks = await churned(tiny, CHURNED)
        async with tiny.acquire() as mover, mover.transaction():
            before = await tiny.fetchval(SIZE)
            await mover.execute("UPDATE koff SET next_offset = next_offset + 1")
            assert await compact(tiny, "koff")
            assert await tiny.fetchval(SIZE) >= before
        moved = [(topic, part, mark + 1) for topic, part, mark in marks]
        await compact(tiny, "koff")
        assert await tiny.fetchval(SIZE) == 8192
        assert [tuple(row) for row in await tiny.fetch(MARKS)] == moved


async def test_a_table_that_somebody_had_a_hand_on_is_soon_tried_again(
    tiny: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "AGAIN_SECONDS", 0.01)
    stopping = Asked()
    async with a_report(tiny), asyncio.timeout(PAUSE_SECONDS), asyncio.TaskGroup() as group:
        await churned(tiny, CHURNED)
        async with tiny.acquire() as mover, mover.transaction():
            await mover.execute("UPDATE koff SET next_offset = next_offset + 1")
            group.create_task(compaction_loop(tiny, stopping))
            await until(partial(stopping.was_asked, 2))
        await until(partial(is_small, tiny))
        stopping.set()


async def test_what_was_written_anew_is_no_longer_too_large_for_anybody(tiny: Pool) -> None:
    async with a_report(tiny), tiny.acquire() as first, tiny.acquire() as second:
        await churned(tiny, CHURNED)
        assert await second.fetchval(TOO_LARGE, "koff")
        await compact(tiny, "koff")
        assert not await first.fetchval(TOO_LARGE, "koff")
        assert not await second.fetchval(TOO_LARGE, "koff")


async def test_while_nothing_is_too_large_it_is_looked_less_often(tiny: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(compaction, "AGAIN_SECONDS", PAUSE_SECONDS)
    stopping = Asked()
    async with asyncio.TaskGroup() as group:
        group.create_task(compaction_loop(tiny, stopping))
        await until(partial(stopping.was_asked, 3), PAUSE_SECONDS / 2)
        stopping.set()


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_an_old_snapshot_writes_nothing_anew(
    tiny: Pool, isolation: Literal["repeatable_read", "serializable"]
) -> None:
    async with a_report(tiny):
        marks = await churned(tiny, CHURNED)
        async with tiny.acquire() as connection, connection.transaction(isolation=isolation):
            await connection.execute("SELECT FROM inbox")
            await tiny.execute("UPDATE koff SET next_offset = next_offset + 1")
            await connection.execute(COMPACT.format(table="koff"))
        assert [tuple(row) for row in await tiny.fetch(MARKS)] == [(t, part, mark + 1) for t, part, mark in marks]
