"""Which cases have changed since ``case.snapshots`` last told their state, and what is that state now?"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection

DUE = """
-- snapshots.due: cases whose latest state has not been told for a while
SELECT case_id FROM snapshots_due WHERE since <= $1 LIMIT $2
"""
LATEST = """
-- snapshots.latest: these cases as they stand, locked; what a transaction has in hand is left for the next time
SELECT case_id, body FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR NO KEY UPDATE SKIP LOCKED
"""
DONE = """
-- snapshots.done: these are told now; what another replica has told meanwhile is left out
DELETE FROM snapshots_due WHERE case_id = ANY ($1::uuid[]) RETURNING case_id
"""


async def take(connection: Connection, since: datetime, limit: int) -> tuple[Sequence[tuple[UUID, bytes]], bool]:
    """Return cases, id and body, that changed before this moment and are still untold; they are told from now on.

    And whether there may be more: the latest of some that are due may be locked, or told by another replica.
    """
    due = [row["case_id"] for row in await connection.fetch(DUE, since, limit)]
    if not due:
        return (), False
    latest: dict[UUID, bytes] = {row["case_id"]: row["body"] for row in await connection.fetch(LATEST, due)}
    taken: Iterable[UUID] = [row["case_id"] for row in await connection.fetch(DONE, list(latest))]
    return [(case_id, latest[case_id]) for case_id in taken], len(due) == limit
