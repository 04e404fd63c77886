"""How is what followup knows of cases read and written, many at once?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import TypeAdapter

from services.followup.domain.decisions import Greeting
from services.followup.domain.state import CaseFollowup

if TYPE_CHECKING:
    from services.runtime.database import Connection

_BODY = TypeAdapter(CaseFollowup)
GREETING_KEPT = timedelta(days=1)

LOAD_CASES = """
-- The cases of a batch, locked in one order so that two batches never wait for each other in a ring.
SELECT case_id, body::text AS body FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE
"""

SAVE_CASES = """
-- The cases of a batch as they are after it, callbacks and surveys that now wait for an answer, and those that ended.
WITH added AS (
    INSERT INTO handles (handle_id, case_id, customer_id)
    SELECT handle_id, case_id, customer_id
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[]) AS h (handle_id, case_id, customer_id)
    ON CONFLICT (handle_id) DO NOTHING
), removed AS (
    DELETE FROM handles WHERE handle_id = ANY ($7::uuid[])
)
INSERT INTO cases (case_id, version, body)
SELECT case_id, version, body::jsonb FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS s (case_id, version, body)
ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, body = excluded.body
"""

FIND_HANDLES = """
-- Which cases do these callbacks and surveys belong to, and which open ones do these customers have?
SELECT handle_id, case_id, customer_id FROM handles WHERE handle_id = ANY ($1::uuid[]) OR customer_id = ANY ($2::uuid[])
"""

KEEP_GREETINGS = """
-- Conversations that begin, or begin anew.
INSERT INTO greetings (conversation_id, connected_at)
SELECT conversation_id, connected_at FROM unnest($1::text[], $2::timestamptz[]) AS g (conversation_id, connected_at)
ON CONFLICT (conversation_id) DO UPDATE SET connected_at = excluded.connected_at, greeted_at = NULL
"""

MARK_GREETED = """
-- An agent said something; the first word counts.
UPDATE greetings SET greeted_at = g.greeted_at
FROM unnest($1::text[], $2::timestamptz[]) AS g (conversation_id, greeted_at)
WHERE greetings.conversation_id = g.conversation_id AND greetings.greeted_at IS NULL
"""

CLAIM_GREETINGS = """
-- The first case of a conversation takes its greeting over.
DELETE FROM greetings WHERE conversation_id = ANY ($1::text[]) RETURNING conversation_id, connected_at, greeted_at
"""

FORGET_GREETINGS = """
-- Connections that never became a case.
DELETE FROM greetings WHERE connected_at < $1
"""


@dataclass(frozen=True, slots=True)
class Handle:
    """A callback or survey that waits for an answer."""

    handle_id: UUID
    case_id: UUID
    customer_id: UUID


async def load(connection: "Connection", case_ids: Sequence[UUID]) -> dict[UUID, CaseFollowup]:
    """Return the cases that followup knows of these, locked."""
    if not case_ids:
        return {}
    rows = await connection.fetch(LOAD_CASES, case_ids)
    return {row["case_id"]: _BODY.validate_json(row["body"]) for row in rows}


async def save(
    connection: "Connection", states: Sequence[CaseFollowup], added: Sequence[Handle], removed: Sequence[UUID]
) -> None:
    """Write the cases and keep the look-up in step with them, in one round trip."""
    if states:
        await connection.execute(
            SAVE_CASES,
            [state.case_id for state in states],
            [state.version for state in states],
            [_BODY.dump_json(state, exclude_defaults=True).decode() for state in states],
            [handle.handle_id for handle in added],
            [handle.case_id for handle in added],
            [handle.customer_id for handle in added],
            removed,
        )


async def find_handles(
    connection: "Connection", handle_ids: Sequence[UUID], customer_ids: Sequence[UUID]
) -> list[Handle]:
    """Return the open callbacks and surveys with these ids or of these customers."""
    if not handle_ids and not customer_ids:
        return []
    rows = await connection.fetch(FIND_HANDLES, handle_ids, customer_ids)
    return [Handle(row["handle_id"], row["case_id"], row["customer_id"]) for row in rows]


async def keep_greetings(connection: "Connection", connected: Mapping[str, datetime], now: datetime) -> None:
    """Remember when conversations were connected, and forget those that nothing came of."""
    if connected:
        await connection.execute(FORGET_GREETINGS, now - GREETING_KEPT)
        await connection.execute(KEEP_GREETINGS, list(connected), list(connected.values()))


async def mark_greeted(connection: "Connection", greeted: Mapping[str, datetime]) -> None:
    """Remember when an agent first spoke."""
    if greeted:
        await connection.execute(MARK_GREETED, list(greeted), list(greeted.values()))


async def claim_greetings(connection: "Connection", conversation_ids: Sequence[str]) -> dict[str, Greeting]:
    """Return and forget how these conversations began."""
    if not conversation_ids:
        return {}
    rows = await connection.fetch(CLAIM_GREETINGS, conversation_ids)
    return {row["conversation_id"]: Greeting(row["connected_at"], row["greeted_at"]) for row in rows}
