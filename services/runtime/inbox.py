"""Which of these messages have not had their effect yet?

Insert to find out: rivals with one message wait for each other here, and one of them gets it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.pieces import Entry
from services.runtime.work import TIMERS_TOPIC, Received

UNGUARDED = frozenset({"case.events", TIMERS_TOPIC})
"""The journal's gapless versions and the deletion of a timer tell a repeat by themselves."""

CLAIM = """
-- inbox.claim: one order for everybody, so that two rivals with the same messages do not wait for each other in a ring
INSERT INTO inbox (message_id, received_at)
SELECT message_id, $2 FROM unnest($1::uuid[]) AS i (message_id) ORDER BY message_id
ON CONFLICT DO NOTHING
RETURNING message_id
"""

RELEASE = """
-- inbox.release: messages that have had no effect after all
DELETE FROM inbox WHERE message_id = ANY ($1::uuid[])
"""


async def claim(
    connection: Connection,
    entries: Sequence[tuple[Entry, Received]],
    now: datetime,
) -> list[tuple[Entry, Received]]:
    """Return the entries whose message is new, in order; the claim is part of the caller's transaction."""
    guarded = [received.message_id for _, received in entries if received.topic not in UNGUARDED]
    if not guarded:
        return list(entries)
    new: set[UUID] = {row["message_id"] for row in await connection.fetch(CLAIM, guarded, now)}
    return [each for each in entries if each[1].topic in UNGUARDED or _first(each[1].message_id, new)]


async def release(connection: Connection, received: Sequence[Received]) -> None:
    """Take back the claim on messages that will be tried again."""
    await connection.execute(RELEASE, [each.message_id for each in received])


def _first(message_id: UUID, new: set[UUID]) -> bool:
    """Tell whether this is the first of a new message's copies in the batch."""
    if message_id not in new:
        return False
    new.discard(message_id)
    return True
