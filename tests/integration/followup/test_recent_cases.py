"""Is what a process keeps of its cases used only while the database says the same?"""

import asyncio
from dataclasses import replace
from functools import partial

from contracts.message import Message, derived_id
from contracts.router import CaseAssigned, CaseInformationRequested, CaseResolved, MilestoneReached
from services.followup.recent import RecentCases
from services.runtime.database import Connection
from services.runtime.work import Work
from tests.integration.followup.stand import Stand, a_journal, a_stand
from tests.support.floor import until
from tests.unit.followup.story import Story, names


async def test_an_event_that_changes_nothing_else_moves_the_version(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open(), journal.tell(CaseAssigned, agent_id="a-17"))
    milestone = journal.tell(MilestoneReached)

    assert await stand.hear(milestone) == []
    assert await stand.version(journal.case_id) == milestone.version
    assert await stand.hear(milestone) == []
    assert names(await stand.hear(journal.tell(CaseResolved, state="solved")))


async def test_what_another_replica_wrote_is_read_anew(postgres_database: str) -> None:
    async with a_stand(postgres_database) as one, a_stand(postgres_database) as other:
        journal = a_journal()
        await one.hear(journal.open())
        paused = await other.hear(journal.tell(CaseInformationRequested, state="waiting_customer"))
        resumed = await one.hear(journal.tell(MilestoneReached, state="assigned"))

    assert "clock.paused resolution" in names(paused)
    assert "clock.resumed resolution" in names(resumed)


async def test_what_was_rolled_back_is_not_believed(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open())
    asked = journal.tell(CaseInformationRequested, state="waiting_customer")
    async with stand.pool.acquire() as connection:
        await _heard_in_vain(stand, connection, asked)

    assert "clock.paused resolution" in names(await stand.hear(asked))


async def test_what_is_written_and_rolled_back_by_another_transaction_meanwhile_is_not_believed(stand: Stand) -> None:
    journal = a_journal()
    await stand.hear(journal.open())
    asked = journal.tell(CaseInformationRequested, state="waiting_customer")
    async with stand.pool.acquire() as connection:
        begun = connection.transaction()
        await begun.start()
        await connection.execute("SELECT FROM cases WHERE case_id = $1 FOR UPDATE", journal.case_id)
        waiting = asyncio.create_task(stand.hear(asked))
        await until(partial(_somebody_waits, stand))
        await stand.handler(Work(connection, [stand.received(asked)], stand.clock.now()))
        await begun.rollback()

    assert "clock.paused resolution" in names(await waiting)


def test_the_case_kept_first_is_forgotten_when_there_are_too_many() -> None:
    recent, story = RecentCases(kept_max=2), Story()
    story.opened()
    one, two, three = (replace(story.case, case_id=derived_id("recent", number)) for number in range(3))
    for state in (one, two, one, three):
        recent.keep(b"{}", state)

    assert [recent.known(state.case_id).state for state in (one, two, three)] == [one, None, three]


async def _heard_in_vain(stand: Stand, connection: Connection, message: Message) -> None:
    begun = connection.transaction()
    await begun.start()
    await stand.handler(Work(connection, [stand.received(message)], stand.clock.now()))
    await begun.rollback()


async def _somebody_waits(stand: Stand) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return int(await stand.pool.fetchval(waiting)) > 0
