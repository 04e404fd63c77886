"""How does a batch of public messages become rows that people can read?"""

from uuid import UUID

from contracts import followup, notify, router
from services.desk import storage
from services.desk.domain.board import JournalEvent, fold
from services.desk.domain.companions import clocks_after, deliveries_after
from services.runtime.work import Outgoing, Work


async def handle(work: Work) -> list[Outgoing]:
    """Remember what happened; desk answers nobody.

    A repeat of the journal is recognised by its version, in the timeline and on the board; a hole is counted there.
    """
    messages = [received.message for received in work.received]
    journal = [message for message in messages if isinstance(message, router.CaseEvent | router.CommandRejected)]
    await _remember_journal(work, [event for event in journal if event.version is not None])
    clocks = [message for message in messages if isinstance(message, followup.ClockMessage)]
    await storage.save_clocks(work.connection, clocks_after(clocks))
    notifications = [message for message in messages if isinstance(message, notify.Notification)]
    await storage.save_deliveries(work.connection, deliveries_after(notifications))
    return []


async def _remember_journal(work: Work, journal: list[JournalEvent]) -> None:
    by_case: dict[UUID, list[JournalEvent]] = {}
    for event in journal:
        by_case.setdefault(event.case_id, []).append(event)
    if not by_case:
        return
    boards = await storage.load_boards(work.connection, sorted(by_case))
    folded = [fold(boards.get(case_id), by_case[case_id]) for case_id in sorted(by_case)]
    await storage.save_boards(work.connection, [board for board in folded if board is not None])
    await storage.save_timeline(work.connection, journal)
