"""What do the tables say, read in small portions that hold nobody up?

Every look has a time-out, reads only, and goes through a table by its key from page to page.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import orjson
from asyncpg import Record

from services.cli.audit.doors import Place
from services.cli.audit.findings import Spot
from services.cli.audit.snapshots import digest_of
from services.cli.schemas import schema
from services.runtime.database import Connection

PAGE = 500
"""Rows of one look."""

STAND_BACK = """
-- audit.stand_back: read only, and give up rather than hold anybody up
SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '1s'; SET jit = off;
SET application_name = 'caseloop-audit'
"""

PARKED = """
-- audit.parked: where every record in the lot came from
SELECT parked_id, topic, partition, record_offset, status FROM parked WHERE parked_id > $1 ORDER BY parked_id LIMIT $2
"""

KNOWN = """
-- audit.known: which of these has the duplicate guard seen?
SELECT message_id FROM inbox WHERE message_id = ANY ($1::uuid[])
"""

CASES_AFTER = """
-- audit.cases_after: the next cases by their id
SELECT case_id, version, state, body FROM cases WHERE case_id > $1 AND case_id <= $2 ORDER BY case_id LIMIT $3
"""

CASES = """
-- audit.cases: these cases, and whether their state waits to be told
SELECT cases.case_id, version, state, body, snapshots_due.since
FROM cases LEFT JOIN snapshots_due USING (case_id) WHERE cases.case_id = ANY ($1::uuid[])
"""

VERSIONS = """
-- audit.versions: how far does this service remember these cases?
SELECT case_id, version FROM cases WHERE case_id = ANY ($1::uuid[])
"""

IN_LOT = """
-- audit.in_lot: which of these records wait for their retry or for a person, or were given up by one?
SELECT parked.partition, parked.record_offset FROM parked
JOIN unnest($2::integer[], $3::bigint[]) AS asked (partition, record_offset) USING (partition, record_offset)
WHERE parked.topic = $1 AND parked.status IN ('retry', 'dead', 'discarded')
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A case as the router holds it."""

    case_id: UUID
    version: int
    state: str
    digest: str | None
    """The hash of its last event; ``None`` when the row cannot be read."""
    told: bytes
    """What stands for everything that a snapshot tells."""
    offer_id: UUID | None
    offer_until: str
    problem: str | None


@asynccontextmanager
async def looking(dsn: str, service: str) -> AsyncIterator[Connection]:
    """Give a connection to a service's tables that only reads, and gives up rather than hold anybody up."""
    async with schema(dsn, service) as connection:
        await connection.execute(STAND_BACK)
        yield connection


async def parked_of(dsn: str, service: str) -> dict[Place, str]:
    """Return where every record of the service's parking lot came from, and how it stands."""
    found: dict[Place, str] = {}
    after = 0
    async with looking(dsn, service) as connection:
        while rows := await connection.fetch(PARKED, after, PAGE):
            after = rows[-1]["parked_id"]
            found |= {(row["topic"], row["partition"], row["record_offset"]): row["status"] for row in rows}
    return found


async def known_to(connection: Connection, message_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these messages the service's duplicate guard has seen."""
    return {row["message_id"] for row in await connection.fetch(KNOWN, list(message_ids))}


async def cases_between(connection: Connection, after: UUID, until: UUID) -> AsyncIterator[Stored]:
    """Yield the router's cases behind one id up to another, in order."""
    while rows := await connection.fetch(CASES_AFTER, after, until, PAGE):
        for row in rows:
            yield _stored(row)
        after = rows[-1]["case_id"]
        if len(rows) < PAGE:
            return


async def cases_of(connection: Connection, case_ids: Sequence[UUID]) -> list[tuple[Stored, bool]]:
    """Return these of the router's cases, each with whether its latest state still waits to be told."""
    rows = await connection.fetch(CASES, case_ids)
    return [(_stored(row), row["since"] is not None) for row in rows]


async def versions_of(connection: Connection, case_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return which version of these cases the service has taken last; it may know some of them not at all."""
    return {row["case_id"]: row["version"] for row in await connection.fetch(VERSIONS, case_ids)}


async def in_lot(connection: Connection, topic: str, spots: Collection[Spot]) -> set[Spot]:
    """Return which of these records of one topic the service has parked, and not tried again with success."""
    ordered = list(spots)
    places = [spot.partition for spot in ordered], [spot.offset for spot in ordered]
    rows = await connection.fetch(IN_LOT, topic, *places)
    return {Spot(topic, row["partition"], row["record_offset"]) for row in rows}


def _stored(row: Record) -> Stored:
    """Read a row: version and state from their columns, everything else from the body, where they stand once more."""
    case_id, version, state = row["case_id"], row["version"], row["state"]
    try:
        body = orjson.loads(row["body"])
        offer = body.get("offer") or {}
        offer_id = UUID(offer["offer_id"]) if "offer_id" in offer else None
        told = digest_of(body)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Stored(case_id, version, state, None, b"", None, "", "its body is not a case")
    until = str(offer.get("expires_at", ""))
    return Stored(case_id, version, state, str(body.get("hash")), told, offer_id, until, None)
