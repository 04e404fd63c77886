"""How does a batch of public messages become rows that people can read?"""

from typing import Any
from uuid import UUID

from services.desk import storage
from services.desk.domain.board import fold
from services.desk.domain.companions import NUMBER, clocks_after, deliveries_after
from services.runtime.work import Outgoing, Received, Work


async def handle(work: Work) -> list[Outgoing]:
    """Remember what happened; desk answers nobody.

    A repeat of the journal is recognised by its version, in the timeline and on the board; a hole is counted there.
    """
    told: dict[str, list[Any]] = {"case.events": [], "followups": [], "notifications": []}
    for received in work.received:
        told[received.topic].append(received)
    await _remember_journal(work, [line for line in told["case.events"] if line.message.version is not None])
    await storage.save_clocks(work.connection, clocks_after(each.message for each in told["followups"]))
    await storage.save_deliveries(work.connection, deliveries_after(each.message for each in told["notifications"]))
    return []


async def _remember_journal(work: Work, journal: list[Received]) -> None:
    by_case: dict[UUID, list[Any]] = {}
    for line in journal:
        event: Any = line.message
        by_case.setdefault(event.case_id, []).append(event)
    if not by_case:
        return
    in_order = sorted(by_case, key=NUMBER)
    boards = await storage.load_boards(work.connection, in_order)
    folded = [fold(boards.get(case_id), by_case[case_id]) for case_id in in_order]
    await storage.save_boards(work.connection, boards, [board for board in folded if board is not None])
    await storage.save_timeline(work.connection, journal)
