"""How are cases kept: one statement to load what a transaction touches, one to save what it changed?"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson
from asyncpg import Record

from contracts.policy import Policy
from services.router.domain.agents import burden
from services.router.domain.case import Case
from services.router.domain.priority import band_limits, rank
from services.router.storage import bodies
from services.runtime.database import Connection
from services.runtime.errors import TransientError

LOAD = """
-- cases.load: these cases, locked in one order whoever asks
SELECT case_id, body FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE
"""
LOAD_FREE = """
-- cases.load_free: those of these cases that nobody else has locked, now locked
SELECT case_id, body FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE SKIP LOCKED
"""
LOAD_WITH_HELD = """
-- cases.load_with_held: these cases and those that these agents hold, locked in one order whoever asks
SELECT case_id, body FROM cases WHERE case_id = ANY ($1::uuid[]) OR holder = ANY ($2::text[])
ORDER BY case_id FOR UPDATE
"""
HELD = """
-- cases.held: which cases do these agents hold now?
SELECT case_id FROM cases WHERE holder = ANY ($1::text[]) ORDER BY case_id
"""
HANDLERS = """
-- cases.handlers: who handled these cases last?
SELECT case_id, agent_id FROM cases WHERE case_id = ANY ($1::uuid[]) AND agent_id IS NOT NULL
"""
INSERT = """
-- cases.insert: new cases; one that another transaction opened meanwhile is left out
WITH marked AS (
    INSERT INTO snapshots_due (case_id, since) SELECT unnest($1::uuid[]), $20 ON CONFLICT DO NOTHING
)
INSERT INTO cases (
    case_id, version, state, queue, holder, channel, units, agent_id, points, target_seconds, aged_from, band_floor,
    band_ceiling, queued_at, worked_at, needs, body, confined_version, severity, severity_version
)
SELECT case_id, version, state, queue, holder, channel, units, agent_id, points, target_seconds, aged_from, band_floor,
    band_ceiling, queued_at, worked_at, needs, body, confined_version, severity, version
FROM unnest(
    $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::integer[],
    $10::integer[], $11::timestamptz[], $12::integer[], $13::integer[], $14::timestamptz[], $15::timestamptz[],
    $16::bytea[], $17::bytea[], $18::integer[], $19::text[]
) AS new (
    case_id, version, state, queue, holder, channel, units, agent_id, points, target_seconds, aged_from, band_floor,
    band_ceiling, queued_at, worked_at, needs, body, confined_version, severity
)
ON CONFLICT (case_id) DO NOTHING
"""
QUEUED = """
-- cases.queued: cases that this transaction has locked and that stand in a queue now; how severe they are is told when
-- somebody works on them
WITH marked AS (
    INSERT INTO snapshots_due (case_id, since) SELECT unnest($1::uuid[]), $20 ON CONFLICT DO NOTHING
)
UPDATE cases SET
    version = new.version, state = new.state, queue = new.queue, holder = new.holder, channel = new.channel,
    units = new.units, agent_id = new.agent_id, points = new.points, target_seconds = new.target_seconds,
    aged_from = new.aged_from, band_floor = new.band_floor, band_ceiling = new.band_ceiling,
    queued_at = new.queued_at, worked_at = new.worked_at, needs = new.needs, body = new.body,
    confined_version = new.confined_version
FROM unnest(
    $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::integer[],
    $10::integer[], $11::timestamptz[], $12::integer[], $13::integer[], $14::timestamptz[], $15::timestamptz[],
    $16::bytea[], $17::bytea[], $18::integer[], $19::text[]
) AS new (
    case_id, version, state, queue, holder, channel, units, agent_id, points, target_seconds, aged_from, band_floor,
    band_ceiling, queued_at, worked_at, needs, body, confined_version, severity
)
WHERE cases.case_id = new.case_id
"""
UPDATE = """
-- cases.update: cases that this transaction has locked and that stand in no queue; what ranked them there stays
WITH marked AS (
    INSERT INTO snapshots_due (case_id, since) SELECT unnest($1::uuid[]), $11 ON CONFLICT DO NOTHING
)
UPDATE cases SET
    version = new.version, state = new.state, queue = NULL, holder = new.holder, channel = new.channel,
    units = new.units, agent_id = new.agent_id, worked_at = new.worked_at, severity = new.severity,
    severity_version = new.version, needs = NULL, body = new.body
FROM unnest(
    $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::timestamptz[],
    $9::text[], $10::bytea[]
) AS new (case_id, version, state, holder, channel, units, agent_id, worked_at, severity, body)
WHERE cases.case_id = new.case_id
"""
SET_ASIDE = """
-- cases.set_aside: a case that cannot be read; no round, sweep or snapshot finds it until a message changes it
WITH unmarked AS (
    DELETE FROM snapshots_due WHERE case_id = $1
)
UPDATE cases SET queue = NULL, needs = NULL, worked_at = NULL WHERE case_id = $1
"""


async def load(connection: Connection, case_ids: Iterable[UUID], held_by: Sequence[str] = ()) -> dict[UUID, Case]:
    """Return these cases, and all that these agents hold, locked until the end of the transaction."""
    wanted = list(case_ids)
    if held_by:
        rows = await connection.fetch(LOAD_WITH_HELD, wanted, list(held_by))
    elif wanted:
        rows = await connection.fetch(LOAD, wanted)
    else:
        return {}
    return _cases(rows)


async def load_free(connection: Connection, case_ids: Iterable[UUID]) -> dict[UUID, Case]:
    """Return those of these cases that nobody else has locked, locked until the end of the transaction."""
    wanted = list(case_ids)
    return _cases(await connection.fetch(LOAD_FREE, wanted)) if wanted else {}


def _cases(rows: Iterable[Record]) -> dict[UUID, Case]:
    cases = (bodies.read(row["case_id"], row["body"]) for row in rows)
    return {case.case_id: case for case in cases}


async def held(connection: Connection, agent_ids: Sequence[str]) -> list[UUID]:
    """Return the ids of the cases that these agents hold, without locking them."""
    return [row["case_id"] for row in await connection.fetch(HELD, list(agent_ids))]


async def handlers(connection: Connection, case_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return who handled each of these cases last (A3, C6)."""
    return {row["case_id"]: row["agent_id"] for row in await connection.fetch(HANDLERS, list(case_ids))}


async def set_aside(connection: Connection, case_id: UUID) -> None:
    """Let no loop find this case again before a message has changed it."""
    await connection.execute(SET_ASIDE, case_id)


async def save(
    connection: Connection,
    changed: Sequence[Case],
    known: Container[UUID],
    policy: Policy,
    traces: Mapping[UUID, str | None],
    now: datetime,
) -> None:
    """Store these cases, marked as changed at this moment; those that are not ``known`` are new.

    ``TransientError`` when another transaction opened one of the new ones meanwhile.
    """
    new, queued, others = _sorted(changed, known)
    for statement, rows in (
        (INSERT, [_queued_row(case, policy, traces.get(case.case_id)) for case in new]),
        (QUEUED, [_queued_row(case, policy, traces.get(case.case_id)) for case in queued]),
        (UPDATE, [_row(case, policy) for case in others]),
    ):
        if rows:
            status = await connection.execute(statement, *map(list, zip(*rows, strict=True)), now)
            if int(status.rsplit(" ", 1)[-1]) != len(rows):
                raise TransientError("another transaction opened one of these cases")


def _sorted(changed: Iterable[Case], known: Container[UUID]) -> tuple[list[Case], list[Case], list[Case]]:
    """Return those of these cases that are new, that stand in a queue, and the others."""
    new: list[Case] = []
    queued: list[Case] = []
    others: list[Case] = []
    for case in changed:
        if case.case_id not in known:
            new.append(case)
        elif case.state == "queued":
            queued.append(case)
        else:
            others.append(case)
    return new, queued, others


def _row(case: Case, policy: Policy) -> tuple[object, ...]:
    taken = burden(case, policy.routing.capacity)
    channel = taken.channel if taken else case.contact.channel
    return (
        case.case_id,
        case.version,
        case.state,
        taken.agent_id if taken else None,
        channel,
        taken.units if taken else policy.routing.capacity.units[channel],
        case.agent_id,
        case.worked_at,
        case.classification.severity,
        bodies.write(case),
    )


def _may_go_anywhere(case: Case) -> bool:
    """Tell whether another department's agent may be given the case before overflow has its time (A3)."""
    return case.preferred_agent_id is not None or case.supervisor_needed or case.classification.safety


def _queued_row(case: Case, policy: Policy, traceparent: str | None) -> tuple[object, ...]:
    """Return the whole row: by these columns the case is found, ranked and matched while it waits."""
    case_id, version, state, holder, channel, units, agent_id, worked_at, severity, body = _row(case, policy)
    standing = rank(case, policy.routing.priority)
    floor, ceiling = band_limits(case.priority.band, policy.routing.priority)
    queued = case.state == "queued"
    return (
        case_id,
        version,
        state,
        case.department if queued else None,
        holder,
        channel,
        units,
        agent_id,
        standing.points,
        standing.target_seconds,
        standing.aged_from,
        floor,
        ceiling,
        case.queued_at,
        worked_at,
        _needs(case, traceparent) if queued else None,
        body,
        None if _may_go_anywhere(case) else case.version,
        severity,
    )


def _needs(case: Case, traceparent: str | None) -> bytes:
    return orjson.dumps(
        {
            "language": case.customer.language.split("-")[0].lower(),
            "skills": sorted(case.skills.items()),
            "preferred": case.preferred_agent_id,
            "declined": case.declined,
            "supervisor": case.supervisor_needed,
            "safety": case.classification.safety,
            "traceparent": traceparent,  # stays last: ``queues.TRACE`` finds it there
        }
    )
