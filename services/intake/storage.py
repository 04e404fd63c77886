"""How does intake remember: everything a batch needs in a few set-based statements, and back again?"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

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

PERSON_COLUMNS = ("customer_id", "root", "created_at", "name", "language", "time_zone")
CONVERSATION_COLUMNS = tuple(column.name for column in fields(Conversation))
CASE_COLUMNS = (
    "case_id", "case_number", "customer_id", "conversation_id", "category", "scenario", "severity", "safety",
    "opened_at", "state", "version", "order_no", "primary_of", "subject_slot",
)  # fmt: skip
CHANGE_COLUMNS = tuple(column.name for column in fields(CaseChange))
SURVEY_COLUMNS = tuple(column.name for column in fields(OpenSurvey))
HISTORY_MAX = 50
"""So many cases of one customer are looked at; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The keys of one batch."""

    identifiers: frozenset[Identifier] = frozenset()
    conversations: frozenset[ConversationKey] = frozenset()
    case_numbers: frozenset[str] = frozenset()


async def load_mail(
    connection: Connection,
    book: Book,
    mail_ids: Sequence[str],
    senders: Sequence[str],
    now: datetime,
) -> None:
    """Read into the book where known mails belong, and how many mails each sender sent since the last full hour."""
    row = await connection.fetchrow(sql.LOAD_MAIL, mail_ids, senders, now - timedelta(hours=1))
    if row is not None:
        book.threads = dict(row["threads"])
        book.senders = dict(row["senders"])


async def load(
    connection: Connection,
    book: Book,
    wanted: Wanted,
    policy: ClassificationPolicy,
    now: datetime,
) -> None:
    """Read into the book what is known about these conversations and customers."""
    identifiers = sorted(wanted.identifiers)
    remembered = max(policy.identity.repeat_window_seconds, policy.threading.reopen_window_seconds)
    row = await connection.fetchrow(
        sql.LOAD,
        [kind for kind, _ in identifiers],
        [value for _, value in identifiers],
        sorted(wanted.conversations),
        sorted(wanted.case_numbers),
        now - timedelta(seconds=remembered),
        now - timedelta(seconds=policy.identity.at_risk_window_seconds),
        now,
        HISTORY_MAX,
    )
    if row is not None:
        _fill(book, row)


def _fill(book: Book, row: asyncpg.Record) -> None:
    """Read one list after the other; the statement names the columns in the order of the classes' fields."""
    for person in row["people"]:
        book.add_person(Person(*person))
    for kind, value, customer_id in row["identifiers"]:
        book.add_identifier((kind, value), customer_id)
    for case in row["cases"]:
        book.add_case(KnownCase(*case))
    book.conversations = {each[0]: Conversation(*each) for each in row["conversations"]}
    book.past = {customer_id: Past(*counts) for customer_id, *counts in row["past"]}
    book.surveys = {each[0]: OpenSurvey(*each) for each in row["surveys"]}


async def save(connection: Connection, book: Book, before: Book, now: datetime) -> None:
    """Write what changed; :class:`TransientError` when another transaction was first and must be seen."""
    if book.merges:
        await _merge(connection, book, before, now)
    people = _changed(book.people, before.people)
    identifiers = sorted(item for item in book.identifiers.items() if item[0] not in before.identifiers)
    conversations = _changed(book.conversations, before.conversations)
    cases = _changed(book.cases, before.cases)
    given = len(people) + len(identifiers) + len(conversations) + len(cases)
    if given:
        taken = await connection.fetchval(
            sql.SAVE,
            *_columns(people, PERSON_COLUMNS),
            [kind for (kind, _), _ in identifiers],
            [value for (_, value), _ in identifiers],
            [customer_id for _, customer_id in identifiers],
            now,
            *_columns(conversations, CONVERSATION_COLUMNS),
            *_columns(cases, CASE_COLUMNS),
        )
        _all_taken(taken, given)
    await _save_mail(connection, book, before, now)


async def _save_mail(connection: Connection, book: Book, before: Book, now: datetime) -> None:
    threads = sorted(item for item in book.threads.items() if item[0] not in before.threads)
    counted = sorted(
        (address, total - before.senders.get(address, 0))
        for address, total in book.senders.items()
        if total != before.senders.get(address, 0)
    )
    if threads or counted:
        taken = await connection.fetchval(
            sql.SAVE_MAIL,
            [mail for mail, _ in threads],
            [thread for _, thread in threads],
            [address for address, _ in counted],
            [added for _, added in counted],
            now,
        )
        _all_taken(taken, len(threads) + len(counted))


async def _merge(connection: Connection, book: Book, before: Book, now: datetime) -> None:
    """Write the merges down, unless somebody else merged one of these customers meanwhile."""
    touched = {customer for merge in book.merges for customer in (merge.survivor, *merge.moved)}
    known = sorted(touched & before.people.keys())
    if known:
        rows = await connection.fetch(sql.LOCK_PEOPLE, known)
        _all_taken(sum(row["root"] == before.people[row["customer_id"]].root for row in rows), len(known))
    for merge in book.merges:
        moved = list(merge.moved)
        await connection.execute(sql.ADD_MERGE, merge.merge_id, merge.survivor, merge.merged, moved, merge.cause, now)


async def apply_journal(connection: Connection, changes: Sequence[CaseChange]) -> set[UUID]:
    """Bring the index of cases up to the journal and return what changed; older news than is known changes nothing."""
    if not changes:
        return set()
    ordered = sorted(changes, key=lambda change: change.case_id)
    rows = await connection.fetch(sql.APPLY_JOURNAL, *_columns(ordered, CHANGE_COLUMNS))
    return {row["case_id"] for row in rows}


async def open_surveys(connection: Connection, surveys: Sequence[OpenSurvey]) -> None:
    """Remember surveys that were sent."""
    if surveys:
        ordered = sorted(surveys, key=lambda survey: survey.survey_id)
        await connection.execute(sql.ADD_SURVEYS, *_columns(ordered, SURVEY_COLUMNS))


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


def _columns(rows: Sequence[object], names: Sequence[str]) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in names]


def _all_taken(taken: int, given: int) -> None:
    """Notice that a unique key or a version said no: another transaction was first, and the batch must see its work."""
    if taken != given:
        raise TransientError("another transaction understood the same conversation or customer first")
