"""What does desk answer over HTTP, as plain values?"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import router
from services.desk import queries
from services.desk.domain.board import Board, JournalEvent
from services.desk.domain.why import reasons
from services.runtime.database import Connection

_SUMMARY_MAX = 160


def board_item(board: Board, opened: router.CaseOpened | None) -> dict[str, Any]:
    """Return one line of the board: the row, who the customer is and what it is about."""
    text = opened.demand.text if opened else ""
    return {
        **board._asdict(),
        "customer_name": opened.customer.name if opened else None,
        "summary": text if len(text) <= _SUMMARY_MAX else f"{text[: _SUMMARY_MAX - 1]}…",
    }


async def whole_case(connection: Connection, board: Board) -> dict[str, Any]:
    """Return everything known about a case: its line, its story, its clocks and the messages to the customer."""
    events = await queries.timeline_of(connection, board.case_id)
    opened = next((event for event in events if isinstance(event, router.CaseOpened)), None)
    return {
        "case": board_item(board, opened),
        "opened": opened.model_dump(mode="json", exclude_none=True) if opened else None,
        "timeline": [_told(event) for event in events],
        "promises": promises_of(events, board.updated_at),
        "clocks": await queries.clocks_of(connection, board.case_id),
        "messages": await queries.deliveries_of(connection, board.case_id),
    }


async def why(connection: Connection, board: Board) -> dict[str, Any]:
    """Return the decision record of a case (C1, C7, A3)."""
    events = await queries.timeline_of(connection, board.case_id)
    return {"case_id": board.case_id, "case_number": board.case_number, **reasons(events)}


def promises_of(events: Iterable[JournalEvent], _now: datetime) -> list[dict[str, Any]]:
    """Return the promises of a case and how each ended (S2)."""
    promises: dict[UUID, dict[str, Any]] = {}
    for event in events:
        match event:
            case router.PromiseMade() | router.PromiseMoved():
                promises[event.promise_id] = {
                    "promise_id": event.promise_id,
                    "what": event.what,
                    "due_at": event.due_at,
                    "state": "open",
                }
            case router.PromiseKept():
                promises.get(event.promise_id, {})["state"] = "kept"
            case router.PromiseBreached():
                promises.get(event.promise_id, {})["state"] = "breached"
            case _:
                pass
    return list(promises.values())


def _told(event: JournalEvent) -> dict[str, Any]:
    return {"type": event.type, **event.model_dump(mode="json", exclude_none=True)}
