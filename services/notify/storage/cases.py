"""How are cases read and written, all of a batch at once?"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from contracts.values import Party
from services.notify.domain.case import Case
from services.notify.domain.recipients import Recipient
from services.runtime.database import Connection

LOAD = """
-- cases.load: the cases of a batch, locked in one order
SELECT case_id, version, state, detail FROM cases WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE
"""
SAVE = """
-- cases.save: new and changed cases of a batch
INSERT INTO cases (case_id, version, state, detail)
SELECT case_id, version, state, detail
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::jsonb[]) AS given (case_id, version, state, detail)
ORDER BY case_id
ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, state = excluded.state, detail = excluded.detail
"""


async def load(connection: Connection, case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Return those of the cases that are known, locked until the end of the transaction."""
    if not case_ids:
        return {}
    rows = await connection.fetch(LOAD, list(case_ids))
    return {row["case_id"]: _case(row["case_id"], row["version"], row["state"], row["detail"]) for row in rows}


async def save(connection: Connection, cases: Iterable[Case]) -> None:
    """Store these cases as they are now."""
    given = list(cases)
    if given:
        await connection.execute(
            SAVE,
            [case.case_id for case in given],
            [case.version for case in given],
            [case.state for case in given],
            [_detail(case) for case in given],
        )


def _detail(case: Case) -> dict[str, Any]:
    """Return what is kept beside the columns; what is empty or usual is left out."""
    to = case.recipient
    detail = {
        "number": case.case_number,
        "channel": to.channel,
        "conversation": to.conversation_id,
        "language": to.language,
        "parties": [[party.kind, party.value] for party in to.parties],
        "ended": not to.live,
        "zone": to.time_zone,
        "reply": to.in_reply_to,
        "subject": to.subject,
        "cycle": case.cycle,
        "urgent": case.urgent,
        "upset": case.upset,
        "asked": list(case.asked),
        "step": case.step,
    }
    return {name: value for name, value in detail.items() if value}


def _case(case_id: UUID, version: int, state: Any, detail: dict[str, Any]) -> Case:  # noqa: ANN401 - checked when written
    known = detail.get
    return Case(
        case_id=case_id,
        case_number=detail["number"],
        version=version,
        state=state,
        recipient=Recipient(
            channel=detail["channel"],
            conversation_id=detail["conversation"],
            language=detail["language"],
            parties=tuple(Party.model_construct(kind=kind, value=value) for kind, value in known("parties", ())),
            live=not known("ended", False),
            time_zone=known("zone"),
            in_reply_to=known("reply"),
            subject=known("subject"),
            token=detail["number"],
        ),
        cycle=known("cycle", 0),
        urgent=known("urgent", False),
        upset=known("upset", False),
        asked=tuple(known("asked", ())),
        step=known("step", ""),
    )
