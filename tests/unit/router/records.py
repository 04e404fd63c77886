"""What does the journal of a closed case lack to be a complete record: process, result, feedback? (L1)"""

from collections.abc import Iterable, Sequence

from contracts.router import (
    CallbackExhausted,
    CaseAssigned,
    CaseClosed,
    CaseEvent,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    CommandRejected,
)
from services.router.domain.journal import Entry

Told = CaseEvent | CommandRejected


def lacking(entries: Iterable[Entry]) -> list[str]:
    """Return what is missing at each closing of one case; an opening or a reopening begins a new record."""
    found: list[str] = []
    record: list[Told] = []
    for entry in entries:
        if isinstance(entry.event, CaseOpened | CaseReopened):
            record = []
        record.append(entry.event)
        if isinstance(entry.event, CaseClosed):
            found += _lacking(record, entry.event)
    return found


def _lacking(record: Sequence[Told], end: CaseClosed) -> Iterable[str]:
    if not any(isinstance(event, CaseAssigned) and event.agent_id for event in record):
        yield "process: nobody worked on it"
    solved = [place for place, event in enumerate(record) if isinstance(event, CaseResolved)]
    if not any(isinstance(event, CaseResolved) and event.resolution.strip() for event in record[solved[-1] :]):
        yield "result: nobody said how it was solved"
    if end.outcome == "by_hand" and end.by.kind != "customer" and not _in_vain(record[solved[-1] :]):
        yield "feedback: the customer did not speak, and nobody tried for long enough to hear it"


def _in_vain(since_solved: Sequence[Told]) -> bool:
    return any(isinstance(event, CallbackExhausted) and event.purpose == "after_resolution" for event in since_solved)
