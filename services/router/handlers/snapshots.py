"""When is the latest state of a case told?

Not with every change: a compacted topic is about the last one. A change marks its case in its own transaction; once the
mark is three seconds old, a round tells the state of that moment and takes the mark away. A crash leaves the mark.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from contracts.message import derived_id
from contracts.policy import Policy
from contracts.router import CaseSnapshot
from services.router.domain.case import number_of
from services.router.domain.snapshot import snapshot
from services.router.handlers.aside import transact
from services.router.storage import snapshots
from services.router.storage.bodies import UnreadableCaseError
from services.runtime.context import ServiceContext
from services.runtime.database import Connection
from services.runtime.lifecycle import wait
from services.runtime.work import Outgoing

SETTLED = timedelta(seconds=3)
"""How old the last state on the topic may be; a busy case costs one snapshot in this time."""
LOOK_SECONDS = 0.5
ROUND_MAX = 100
"""Cases of one transaction: their rows are locked for its length."""
REST = 3.0
"""So many times the length of a round it rests before the next where there is more: nobody waits for it."""


async def snapshots_loop(context: ServiceContext) -> None:
    """Tell the latest states until told to stop; what is still marked then is told by the next process."""
    more = False

    async def work(connection: Connection, now: datetime) -> Sequence[Outgoing]:
        nonlocal more
        told, more = await tell_latest(connection, now, context.policy)
        return told

    now = asyncio.get_running_loop().time
    while not context.stopping.is_set():
        began = now()
        await transact(context, work)
        await wait(context.stopping, REST * (now() - began) if more else LOOK_SECONDS)


async def tell_latest(connection: Connection, now: datetime, policy: Policy) -> tuple[list[Outgoing], bool]:
    """Return the snapshots of cases that changed a while ago and were not told since, and whether there may be more."""
    found, more = await snapshots.take(connection, now - SETTLED, ROUND_MAX)
    return [_told(*each, policy) for each in found], more


def _told(case_id: UUID, body: bytes, policy: Policy) -> Outgoing:
    try:
        data = orjson.loads(body)
        version: int = data["version"]
        value = orjson.dumps(snapshot(data, number_of(case_id), policy.ref))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UnreadableCaseError(case_id) from None
    told: dict[str, Any] = {"case_id": case_id, "version": version}
    message = CaseSnapshot.model_construct(**told)  # key and subject; all else stands in the bytes
    return Outgoing(message, derived_id(case_id, "snapshot", version), value=value)
