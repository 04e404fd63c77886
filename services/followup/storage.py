"""How is what followup knows of cases read and written, many at once?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import TypeAdapter

from services.followup.domain.copying import replaced
from services.followup.domain.decisions import Greeting
from services.followup.domain.state import CaseFollowup
from services.followup.recent import RecentCases

if TYPE_CHECKING:
    from services.runtime.database import Connection

_BODY = TypeAdapter(CaseFollowup)
GREETING_KEPT = timedelta(days=1)

LOAD_CASES = """
-- The cases of a batch, locked in one order so that two batches never wait for each other in a ring. A body that the
-- caller has in mind, told by its hash, is not sent.
SELECT cases.case_id, cases.version,
    CASE WHEN sha256(convert_to(cases.body::text, 'UTF8')) IS DISTINCT FROM known.hash THEN cases.body::text END AS body
FROM cases JOIN unnest($1::uuid[], $2::bytea[]) AS known (case_id, hash) USING (case_id)
ORDER BY cases.case_id FOR UPDATE OF cases
"""

SAVE_CASES = """
-- The cases of a batch as they are after it: those whose body changed, then those of which only the version did;
-- callbacks and surveys that now wait for an answer, and those that ended.
WITH added AS (
    INSERT INTO handles (handle_id, case_id, customer_id)
    SELECT handle_id, case_id, customer_id
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[]) AS h (handle_id, case_id, customer_id)
    ON CONFLICT (handle_id) DO NOTHING
), removed AS (
    DELETE FROM handles WHERE handle_id = ANY ($7::uuid[])
), moved AS (
    UPDATE cases SET version = m.version FROM unnest($8::uuid[], $9::integer[]) AS m (case_id, version)
    WHERE cases.case_id = m.case_id
)
INSERT INTO cases (case_id, version, body)
SELECT case_id, version, body::json FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS s (case_id, version, body)
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


async def load(connection: "Connection", case_ids: Sequence[UUID], recent: RecentCases) -> dict[UUID, CaseFollowup]:
    """Return the cases that followup knows of these, locked."""
    if not case_ids:
        return {}
    known = {case_id: recent.known(case_id) for case_id in case_ids}
    rows = await connection.fetch(LOAD_CASES, case_ids, [each.body_hash for each in known.values()])
    states: dict[UUID, CaseFollowup] = {}
    for case_id, version, body in rows:
        state = known[case_id].state if body is None else None
        if state is None:
            state = _BODY.validate_json(body)
            recent.keep(body.encode(), state)
        states[case_id] = replaced(state, version=version)
    return states


async def save(
    connection: "Connection",
    changed: Sequence[tuple[CaseFollowup | None, CaseFollowup]],
    added: Sequence[Handle],
    removed: Sequence[UUID],
    recent: RecentCases,
) -> None:
    """Write the cases, given as they were and as they are, and keep the look-up in step, in one round trip."""
    if not changed:
        return
    moved = [after for before, after in changed if before is not None and _says_the_same(before, after)]
    same = {state.case_id for state in moved}
    rewritten = [after for _, after in changed if after.case_id not in same]
    bodies = [_BODY.dump_json(state, exclude={"version"}, exclude_defaults=True) for state in rewritten]
    await connection.execute(
        SAVE_CASES,
        [state.case_id for state in rewritten],
        [state.version for state in rewritten],
        [body.decode() for body in bodies],
        [handle.handle_id for handle in added],
        [handle.case_id for handle in added],
        [handle.customer_id for handle in added],
        removed,
        [state.case_id for state in moved],
        [state.version for state in moved],
    )
    for body, state in zip(bodies, rewritten, strict=True):
        recent.keep(body, state)


def _says_the_same(before: CaseFollowup, after: CaseFollowup) -> bool:
    """Tell whether nothing but the version changed."""
    return vars(before) | {"version": after.version} == vars(after)


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
