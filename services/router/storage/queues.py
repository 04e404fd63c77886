"""Which cases wait, in which order, and who may match them now?"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from asyncpg import Record

from contracts.policy.routing import RoutingPolicy
from services.router.domain import matching
from services.router.domain.case import Case
from services.router.domain.matching import Waiting
from services.router.domain.priority import rank, value_at
from services.router.storage.bodies import UnreadableCaseError
from services.runtime.database import Connection

TRACE = b',"traceparent":'
"""What stands before the last member of ``needs``, which is nearly each case's own; many cases ask the rest."""

PREPARE = """
-- queues.prepare: the queues that can be matched
INSERT INTO matchers (department) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""
LOCK = """
-- queues.lock: the right to match these queues until the end of the transaction; what another replica has is left to it
SELECT department FROM matchers WHERE department = ANY ($1::text[]) ORDER BY department FOR UPDATE SKIP LOCKED
"""
BUSY = """
-- queues.busy: where does anything wait? One step per department through the index, however long the queues are
WITH RECURSIVE busy AS (
    (SELECT queue FROM cases WHERE queue IS NOT NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT queue FROM cases WHERE queue > busy.queue ORDER BY queue LIMIT 1) FROM busy
    WHERE busy.queue IS NOT NULL
)
SELECT queue FROM busy WHERE queue IS NOT NULL
"""
WAITING = """
-- queues.waiting: the first of each queue by the priority at this moment (C7), then age. Cases of a class (points,
-- target) rank by age alone, so the first are at the heads of the classes; a class whose head ranks below the last
-- place that a better class fills alone has none of them, and is left out. Of a queue whose own department has nobody
-- free only those come whom others may be given, and whatever stands last: it tells that the queue may be longer
WITH RECURSIVE classes AS (
    SELECT head.* FROM unnest($1::text[]) AS asked (department) CROSS JOIN LATERAL (
        SELECT queue, points, target_seconds, aged_from FROM cases WHERE queue = asked.department
        ORDER BY queue, points, target_seconds, aged_from LIMIT 1
    ) AS head
    UNION ALL
    SELECT head.* FROM classes CROSS JOIN LATERAL (
        SELECT queue, points, target_seconds, aged_from FROM cases
        WHERE queue = classes.queue AND (points, target_seconds) > (classes.points, classes.target_seconds)
        ORDER BY queue, points, target_seconds, aged_from LIMIT 1
    ) AS head
), heads AS MATERIALIZED (
    SELECT queue, points, target_seconds, priority_at(points, target_seconds, aged_from, $2, $3, $4, $5, $6) AS priority
    FROM classes
)
SELECT first.case_id, first.version, first.queue, first.channel, first.units, first.aged_from, first.queued_at,
    first.needs, first.priority, first.place = asked.most AS last
FROM unnest($1::text[], $7::integer[], $8::boolean[]) AS asked (department, most, own)
LEFT JOIN LATERAL (
    SELECT least.priority FROM (
        SELECT points, target_seconds FROM heads WHERE queue = asked.department ORDER BY priority DESC
    ) AS better CROSS JOIN LATERAL (
        SELECT priority_at(points, target_seconds, aged_from, $2, $3, $4, $5, $6) AS priority FROM cases
        WHERE queue = asked.department AND points = better.points AND target_seconds = better.target_seconds
        ORDER BY aged_from, case_id OFFSET asked.most - 1 LIMIT 1
    ) AS least
    LIMIT 1
) AS last ON true
CROSS JOIN LATERAL (
    SELECT looked.*, row_number() OVER () AS place FROM (
        SELECT of_class.* FROM heads CROSS JOIN LATERAL (
            SELECT case_id, version, queue, channel, units, aged_from, queued_at, needs, confined_version,
                priority_at(points, target_seconds, aged_from, $2, $3, $4, $5, $6) AS priority
            FROM cases
            WHERE queue = asked.department AND points = heads.points AND target_seconds = heads.target_seconds
            ORDER BY aged_from, case_id LIMIT asked.most
        ) AS of_class
        WHERE heads.queue = asked.department AND (last.priority IS NULL OR heads.priority >= last.priority)
        ORDER BY of_class.priority DESC, of_class.aged_from, of_class.case_id
        LIMIT asked.most
    ) AS looked
) AS first
WHERE asked.own OR first.confined_version IS DISTINCT FROM first.version OR first.queued_at <= $9
    OR first.place = asked.most
"""
MOVED = """
-- queues.moved: which waiting cases have left the band that was told last (C7)?
SELECT case_id FROM (
    SELECT case_id, band_floor, band_ceiling,
        priority_at(points, target_seconds, aged_from, $1, $2, $3, $4, $5) AS priority
    FROM cases WHERE queue IS NOT NULL
) AS valued
WHERE priority >= band_ceiling OR priority < band_floor
LIMIT $6
"""
IDLE = """
-- queues.idle: which cases in work has nobody touched for longer than their severity allows (A7)? An older release does
-- not tell it: what that has written is found like the least patient, and behind all others
SELECT case_id FROM (
    SELECT case_id, worked_at, CASE WHEN severity_version = version THEN severity END AS severity
    FROM cases WHERE holder IS NOT NULL AND state = 'assigned'
) AS held
WHERE worked_at <= coalesce(($2::timestamptz[])[array_position($1::text[], severity)], $3)
ORDER BY severity IS NULL, worked_at LIMIT $4
"""


class Look(NamedTuple):
    """How a round looks into one queue."""

    department: str
    most: int
    """So far."""
    own: bool
    """Somebody of the department is free: everybody who waits may be given one."""


class Queued(NamedTuple):
    """A waiting case, with the trace that its assignment continues."""

    waiting: Waiting
    traceparent: str | None


class Heads(NamedTuple):
    """Who may be given an agent now, of those whom a round looked at."""

    first: list[Queued]
    longer: frozenset[str]
    """Queues that may be longer than the look."""


async def prepare(connection: Connection, departments: Iterable[str]) -> None:
    """Make sure that these queues can be matched."""
    await connection.execute(PREPARE, sorted(departments))


async def lock(connection: Connection, departments: Iterable[str]) -> set[str]:
    """Return those of these queues that this transaction may match; no other will until it ends."""
    return {row["department"] for row in await connection.fetch(LOCK, sorted(departments))}


async def busy(connection: Connection) -> set[str]:
    """Return the departments in whose queue something waits."""
    return {row["queue"] for row in await connection.fetch(BUSY)}


async def waiting(
    connection: Connection,
    looks: Sequence[Look],
    now: datetime,
    policy: RoutingPolicy,
) -> Heads:
    """Return the first of each of these queues, not locked: what is chosen is checked under its lock."""
    formula = policy.priority
    departments, most, own = zip(*looks, strict=True)
    rows = await connection.fetch(
        WAITING,
        departments,
        now,
        formula.age_points_max,
        formula.age_step_seconds,
        formula.age_step_points,
        formula.deadline_points_max,
        most,
        own,
        _overflowing(now, policy),
    )
    return Heads([_queued(row) for row in rows], frozenset(row["queue"] for row in rows if row["last"]))


def _overflowing(now: datetime, policy: RoutingPolicy) -> datetime | None:
    """Return since when a case must wait that any department may be given (A3); none when no step says so."""
    bounds = [step.after_seconds for step in policy.steps if step.any_department]
    return now - timedelta(seconds=min(bounds)) if bounds else None


async def moved(connection: Connection, now: datetime, policy: RoutingPolicy, limit: int) -> list[UUID]:
    """Return waiting cases whose priority has reached another band."""
    formula = policy.priority
    rows = await connection.fetch(
        MOVED,
        now,
        formula.age_points_max,
        formula.age_step_seconds,
        formula.age_step_points,
        formula.deadline_points_max,
        limit,
    )
    return [row["case_id"] for row in rows]


async def idle(connection: Connection, now: datetime, policy: RoutingPolicy, limit: int) -> list[UUID]:
    """Return cases in work that nobody touched for the policy's time of their severity."""
    bounds = {severity: now - timedelta(seconds=seconds) for severity, seconds in policy.idle_seconds.items()}
    rows = await connection.fetch(IDLE, list(bounds), list(bounds.values()), max(bounds.values()), limit)
    return [row["case_id"] for row in rows]


def opened(case: Case, now: datetime, policy: RoutingPolicy, traceparent: str | None) -> Queued:
    """Return a case without a row as :func:`waiting` would if it had one."""
    priority = value_at(rank(case, policy.priority), now, policy.priority)
    return Queued(matching.waiting(case, priority, policy), traceparent)


def _queued(row: Record) -> Queued:
    case_id, version, department, channel, units, aged_from, queued_at, needs, priority, _ = row
    try:
        asks, traceparent = _asks_of(needs)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UnreadableCaseError(case_id) from None
    return Queued(
        Waiting(case_id, version, department, priority, aged_from, queued_at, channel, units, *asks),
        traceparent,
    )


@lru_cache(maxsize=4096)
def _asks_of(needs: bytes) -> tuple[tuple[Any, ...], str | None]:
    """Return what a case asks of an agent, the last fields of ``Waiting``, and its trace.

    What ``cases.save`` wrote is cut apart, so that a case that is kept here takes little more than its bytes.
    """
    asks, _, trace = needs.rpartition(TRACE)
    if trace == b"null}":
        return _asks(asks), None
    if trace[:1] == b'"' and trace.find(b'"', 1) == len(trace) - 2 and b"\\" not in trace and trace[-1:] == b"}":
        return _asks(asks), trace[1:-2].decode()
    return _read(needs), orjson.loads(needs)["traceparent"]


@lru_cache(maxsize=4096)
def _asks(needs: bytes) -> tuple[Any, ...]:
    """Read once what many cases ask, each in many rounds; the closing brace stands behind the trace."""
    return _read(needs + b"}")


def _read(needs: bytes) -> tuple[Any, ...]:
    read = orjson.loads(needs)
    return (
        read["language"],
        tuple((name, level) for name, level in read["skills"]),
        read["preferred"],
        frozenset(read["declined"]),
        read["supervisor"],
        read["safety"],
    )
