"""Has a service settled everything up to given ends, and said what it decided about it?"""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from services.cli.audit.doors import Place
from services.cli.schemas import schema
from services.runtime.database import Connection

POLL_SECONDS = 0.1

OFFSETS = """
-- audit.offsets: where reading goes on
SELECT topic, partition, next_offset FROM koff
"""

OUTBOX_LAST = """
-- audit.outbox_last: the last row that is still to be said
SELECT max(id) FROM outbox
"""

OUTBOX_WAITING = """
-- audit.outbox_waiting: is anything up to this row still to be said?
SELECT EXISTS (SELECT FROM outbox WHERE id <= $1)
"""

PARKED = """
-- audit.parked: where every record in the lot came from
SELECT topic, partition, record_offset, status FROM parked
"""

KNOWN = """
-- audit.known: which of these has the duplicate guard seen?
SELECT message_id FROM inbox WHERE message_id = ANY ($1::uuid[])
"""

Ends = Mapping[tuple[str, int], int]


async def settled(dsn: str, service: str, ends: Ends, deadline: float) -> dict[tuple[str, int], int]:
    """Wait until the service has settled up to these ends, and return what it has not when the deadline comes."""
    clock = asyncio.get_running_loop().time
    async with schema(dsn, service) as connection:
        while True:
            behind = await _behind(connection, ends)
            if not behind or clock() >= deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        last = await connection.fetchval(OUTBOX_LAST)
        while last is not None and await connection.fetchval(OUTBOX_WAITING, last):
            if clock() >= deadline:
                return {**behind, ("its outbox", 0): last}
            await asyncio.sleep(POLL_SECONDS)
    return behind


async def _behind(connection: Connection, ends: Ends) -> dict[tuple[str, int], int]:
    offsets = {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(OFFSETS)}
    return {place: end - offsets.get(place, 0) for place, end in ends.items() if offsets.get(place, 0) < end}


async def parked_of(dsn: str, service: str) -> dict[Place, str]:
    """Return where every record of the service's parking lot came from, and how it stands."""
    async with schema(dsn, service) as connection:
        rows = await connection.fetch(PARKED)
    return {(row["topic"], row["partition"], row["record_offset"]): row["status"] for row in rows}


async def known_to(dsn: str, service: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these events the service's duplicate guard has seen."""
    async with schema(dsn, service) as connection:
        return {row["message_id"] for row in await connection.fetch(KNOWN, list(message_ids))}
