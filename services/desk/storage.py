"""How does desk remember what happened: one statement per table and batch?"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from services.desk.domain.board import Board, has_only_moved
from services.desk.domain.companions import Clock, Delivery
from services.runtime.database import Connection
from services.runtime.work import Received

LOAD_BOARDS = """
-- boards.load: the rows of these cases, held until the commit
SELECT case_id, case_number, version, missing, state, opened_at, updated_at, customer_id, channel, scenario,
    category, severity, priority, band, department, agent_id, agent_number, agent_name, supervisor_needed, cycle, facts,
    promised_at, resolved_at, closed_at, outcome, satisfaction, merged_into
FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE
"""

SAVE_BOARDS = """
-- boards.save: the rows as they are now; never an older version over a newer one
INSERT INTO cases (case_id, case_number, version, missing, state, opened_at, updated_at, customer_id, channel, scenario,
    category, severity, priority, band, department, agent_id, agent_number, agent_name, supervisor_needed, cycle, facts,
    promised_at, resolved_at, closed_at, outcome, satisfaction, merged_into)
SELECT case_id, case_number, version, missing, state, opened_at, updated_at, customer_id, channel, scenario,
    category, severity, priority, band, department, agent_id, agent_number, agent_name, supervisor_needed, cycle,
    facts::jsonb, promised_at, resolved_at, closed_at, outcome, satisfaction, merged_into
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::uuid[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::int[], $14::text[], $15::text[], $16::text[], $17::text[],
    $18::text[], $19::bool[], $20::int[], $21::text[], $22::timestamptz[], $23::timestamptz[], $24::timestamptz[],
    $25::text[], $26::smallint[], $27::uuid[])
    AS given (case_id, case_number, version, missing, state, opened_at, updated_at, customer_id, channel, scenario,
        category, severity, priority, band, department, agent_id, agent_number, agent_name, supervisor_needed, cycle,
        facts, promised_at, resolved_at, closed_at, outcome, satisfaction, merged_into)
ON CONFLICT (case_id) DO UPDATE SET
    version = excluded.version, missing = excluded.missing, state = excluded.state, updated_at = excluded.updated_at,
    customer_id = excluded.customer_id, channel = excluded.channel, scenario = excluded.scenario,
    category = excluded.category, severity = excluded.severity, priority = excluded.priority, band = excluded.band,
    department = excluded.department, agent_id = excluded.agent_id, agent_number = excluded.agent_number,
    agent_name = excluded.agent_name, supervisor_needed = excluded.supervisor_needed, cycle = excluded.cycle,
    facts = excluded.facts, promised_at = excluded.promised_at, resolved_at = excluded.resolved_at,
    closed_at = excluded.closed_at, outcome = excluded.outcome, satisfaction = excluded.satisfaction,
    merged_into = excluded.merged_into
WHERE excluded.version > cases.version
"""

MOVE_BOARDS = """
-- boards.move: rows of which only version, state and time changed, as with every second event
UPDATE cases SET version = given.version, missing = given.missing, state = given.state, updated_at = given.updated_at
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::timestamptz[])
    AS given (case_id, version, missing, state, updated_at)
WHERE cases.case_id = given.case_id AND given.version > cases.version
"""

SAVE_TIMELINE = """
-- timeline.save: each event once, however often it is said
INSERT INTO timeline (case_id, version, type, occurred_at, data)
SELECT case_id, version, type, occurred_at, data
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::bytea[])
    AS given (case_id, version, type, occurred_at, data)
ON CONFLICT (case_id, version) DO NOTHING
"""

SAVE_CLOCKS = """
-- clocks.save: the last standing of each clock; a stopped clock keeps the moment at which it would have run out
INSERT INTO clocks (clock_id, case_id, clock, promise_id, state, percent, target_seconds, elapsed_seconds,
    business_seconds, due_at, changed_at)
SELECT clock_id, case_id, clock, promise_id, state, percent, target_seconds, elapsed_seconds,
    business_seconds, due_at, changed_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::smallint[], $7::int[], $8::int[], $9::int[],
    $10::timestamptz[], $11::timestamptz[])
    AS given (clock_id, case_id, clock, promise_id, state, percent, target_seconds, elapsed_seconds, business_seconds,
        due_at, changed_at)
ON CONFLICT (clock_id) DO UPDATE SET
    state = excluded.state, percent = COALESCE(excluded.percent, clocks.percent),
    target_seconds = excluded.target_seconds, elapsed_seconds = excluded.elapsed_seconds,
    business_seconds = excluded.business_seconds, due_at = COALESCE(excluded.due_at, clocks.due_at),
    changed_at = excluded.changed_at
WHERE excluded.changed_at >= clocks.changed_at
"""

SAVE_DELIVERIES = """
-- deliveries.save: the last standing of each message to a customer
INSERT INTO deliveries (delivery_id, case_id, purpose, channel, milestone, state, provider, reason, changed_at)
SELECT delivery_id, case_id, purpose, channel, milestone, state, provider, reason, changed_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[])
    AS given (delivery_id, case_id, purpose, channel, milestone, state, provider, reason, changed_at)
ON CONFLICT (delivery_id) DO UPDATE SET
    state = excluded.state, provider = COALESCE(excluded.provider, deliveries.provider), reason = excluded.reason,
    changed_at = excluded.changed_at
WHERE excluded.changed_at >= deliveries.changed_at
"""

_MOVING = attrgetter("case_id", "version", "missing", "state", "updated_at")
_FACTS = Board._fields.index("facts")


async def load_boards(connection: Connection, case_ids: Sequence[UUID]) -> dict[UUID, Board]:
    """Return the rows of those cases that have one, locked in the order of their ids."""
    rows = await connection.fetch(LOAD_BOARDS, case_ids)
    return {row["case_id"]: Board._make(row) for row in rows}


async def save_boards(connection: Connection, before: Mapping[UUID, Board], boards: Sequence[Board]) -> None:
    """Write the rows; ``before`` are those that the caller has loaded in this transaction."""
    moved = [board for board in boards if has_only_moved(before.get(board.case_id), board)]
    same = {board.case_id for board in moved}
    changed = [board for board in boards if board.case_id not in same]
    if moved:
        await connection.execute(MOVE_BOARDS, *zip(*map(_MOVING, moved), strict=True))
    if changed:
        columns: list[Sequence[object]] = list(zip(*changed, strict=True))
        columns[_FACTS] = [orjson.dumps(board.facts or {}).decode() for board in changed]
        await connection.execute(SAVE_BOARDS, *columns)


async def save_timeline(connection: Connection, journal: Sequence[Received]) -> None:
    """Write the events that are not there yet, byte for byte as they were said."""
    events: list[Any] = [line.message for line in journal]
    await connection.execute(
        SAVE_TIMELINE,
        [event.case_id for event in events],
        [event.version for event in events],
        [event.type for event in events],
        [event.occurred_at for event in events],
        [line.value for line in journal],
    )


async def save_clocks(connection: Connection, clocks: Sequence[Clock]) -> None:
    """Write where these clocks stand."""
    if clocks:
        await connection.execute(SAVE_CLOCKS, *zip(*clocks, strict=True))


async def save_deliveries(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Write where these messages stand."""
    if deliveries:
        await connection.execute(SAVE_DELIVERIES, *zip(*deliveries, strict=True))
