"""How does intake remember: everything a batch needs in a few set-based statements, and back again?"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from contracts.policy.classification import ClassificationPolicy
from services.intake import statements as sql
from services.intake.domain.journal import CaseChange
from services.intake.domain.scope import ConversationKey
from services.intake.domain.state import (
    Book,
    Conversation,
    Identifier,
    KnownCase,
    OpenSurvey,
    Past,
    Person,
)
from services.runtime.database import Connection
from services.runtime.errors import TransientError

HISTORY_MAX = 50
"""So many cases of one customer are looked at; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The keys of one batch."""

    identifiers: frozenset[Identifier] = frozenset()
    conversations: frozenset[ConversationKey] = frozenset()
    case_numbers: frozenset[str] = frozenset()


async def thread_of(connection: Connection, mail_ids: Sequence[str]) -> dict[str, ConversationKey]:
    """Return the conversations of known mails."""
    if not mail_ids:
        return {}
    return {row["mail_id"]: row["conversation_id"] for row in await connection.fetch(sql.LOAD_THREADS, mail_ids)}


async def sender_counts(connection: Connection, addresses: Sequence[str], now: datetime) -> dict[str, int]:
    """Return how many mails each sender sent within the last hour, from one full hour to the next."""
    if not addresses:
        return {}
    rows = await connection.fetch(sql.LOAD_SENDERS, addresses, now - timedelta(hours=1))
    return {row["address"]: row["received"] for row in rows}


async def load(connection: Connection, wanted: Wanted, policy: ClassificationPolicy, now: datetime) -> Book:
    """Return what is known about these conversations and customers."""
    book = Book()
    identifiers = sorted(wanted.identifiers)
    kinds, values = [kind for kind, _ in identifiers], [value for _, value in identifiers]
    conversations = sorted(wanted.conversations)
    for row in await connection.fetch(sql.LOAD_CONVERSATIONS, conversations):
        book.conversations[row["conversation_id"]] = Conversation(**row)
    for row in await connection.fetch(sql.LOAD_PEOPLE, kinds, values, conversations):
        book.add_person(Person(**row))
    people = sorted(book.people)
    for row in await _of(connection, sql.LOAD_IDENTIFIERS, people):
        book.add_identifier((row["kind"], row["value"]), row["customer_id"])
    since = now - timedelta(seconds=max(policy.identity.repeat_window_seconds, policy.threading.reopen_window_seconds))
    cases = await connection.fetch(
        sql.LOAD_CASES,
        people,
        conversations,
        sorted(wanted.case_numbers),
        since,
        HISTORY_MAX,
    )
    for row in cases:
        book.add_case(KnownCase(**row))
    complaints_since = now - timedelta(seconds=policy.identity.at_risk_window_seconds)
    for row in await _of(connection, sql.COUNT_PAST, people, complaints_since):
        book.past[row["customer_id"]] = Past(row["cases"], row["complaints"])
    for row in await connection.fetch(sql.LOAD_SURVEYS, people, conversations, now):
        book.surveys[row["survey_id"]] = OpenSurvey(**row)
    return book


async def _of(connection: Connection, statement: str, people: Sequence[object], *more: object) -> Sequence[Any]:
    """Return what a statement says of these people; of nobody it is not asked."""
    return await connection.fetch(statement, people, *more) if people else ()


async def save(connection: Connection, book: Book, before: Book, now: datetime) -> None:
    """Write what changed; :class:`TransientError` when another transaction was first and must be seen."""
    await _see_that_nobody_merged(connection, book, before)
    people = _changed(book.people, before.people)
    await _many(connection, sql.SAVE_PEOPLE, people, Person)
    identifiers = sorted(item for item in book.identifiers if item not in before.identifiers)
    await _once(
        connection,
        sql.ADD_IDENTIFIERS,
        len(identifiers),
        [kind for kind, _ in identifiers],
        [value for _, value in identifiers],
        [book.identifiers[item] for item in identifiers],
        now,
    )
    for merge in book.merges:
        await connection.execute(
            sql.ADD_MERGE,
            merge.merge_id,
            merge.survivor,
            merge.merged,
            list(merge.moved),
            merge.cause,
            now,
        )
    conversations = _changed(book.conversations, before.conversations)
    saved = await _many(connection, sql.SAVE_CONVERSATIONS, conversations, Conversation)
    _all_saved(saved, len(conversations))
    threads = sorted(item for item in book.threads.items() if item[0] not in before.threads)
    await _once(
        connection,
        sql.ADD_THREADS,
        len(threads),
        [mail for mail, _ in threads],
        [thread for _, thread in threads],
    )
    cases = _changed(book.cases, before.cases)
    _all_saved(await _many(connection, sql.ADD_CASES, cases, KnownCase), len(cases))
    counted = sorted(
        (address, total - before.senders.get(address, 0))
        for address, total in book.senders.items()
        if total != before.senders.get(address, 0)
    )
    if counted:
        await connection.execute(
            sql.COUNT_SENDERS, [address for address, _ in counted], [added for _, added in counted], now
        )


async def _see_that_nobody_merged(connection: Connection, book: Book, before: Book) -> None:
    touched = {customer for merge in book.merges for customer in (merge.survivor, *merge.moved)}
    known = sorted(touched & before.people.keys())
    if known:
        rows = await connection.fetch(sql.LOCK_PEOPLE, known)
        _all_saved(sum(row["root"] == before.people[row["customer_id"]].root for row in rows), len(known))


async def apply_journal(connection: Connection, changes: Sequence[CaseChange]) -> None:
    """Bring the index of cases up to the journal; what is older than what is known changes nothing."""
    if changes:
        ordered = sorted(changes, key=lambda change: change.case_id)
        await connection.execute(sql.APPLY_JOURNAL, *_columns(ordered, CaseChange))


async def open_surveys(connection: Connection, surveys: Sequence[OpenSurvey]) -> None:
    """Remember surveys that were sent."""
    if surveys:
        ordered = sorted(surveys, key=lambda survey: survey.survey_id)
        await connection.execute(sql.ADD_SURVEYS, *_columns(ordered, OpenSurvey))


async def end_surveys(connection: Connection, case_ids: Sequence[object]) -> None:
    """Forget the surveys of these cases: answered, or the case goes on."""
    if case_ids:
        await connection.execute(sql.END_SURVEYS, list(case_ids))


async def forget_old(connection: Connection, now: datetime) -> None:
    """Delete what has no meaning any more: expired surveys, counts of past hours."""
    await connection.execute(sql.FORGET_SURVEYS, now)
    await connection.execute(sql.FORGET_SENDERS, now - timedelta(hours=2))


def _changed(now: dict[Any, Any], before: dict[Any, Any]) -> list[Any]:
    """Return the values that are new or different, in the order of their keys, so that locks are taken in one order."""
    return [now[key] for key in sorted(now) if before.get(key) != now[key]]


def _columns(rows: Sequence[object], kind: type) -> list[list[Any]]:
    return [[getattr(row, column.name) for row in rows] for column in fields(kind)]


async def _many(connection: Connection, statement: str, rows: Sequence[Any], kind: type) -> int:
    """Run a statement that takes one array per field of the rows, and return how many rows it took."""
    return len(await connection.fetch(statement, *_columns(rows, kind))) if rows else 0


async def _once(connection: Connection, statement: str, expected: int, *columns: object) -> None:
    if expected:
        _all_saved(len(await connection.fetch(statement, *columns)), expected)


def _all_saved(saved: int, expected: int) -> None:
    """Notice that a unique key or a version said no: another transaction was first, and the batch must see its work."""
    if saved != expected:
        raise TransientError("another transaction understood the same conversation or customer first")
