"""What does time alone do to cases?

A sweep runs beside the rounds, as another replica's would: it looks at every waiting case, and no agent who is free
should wait for that.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.policy import Policy
from services.router.domain.agents import burden
from services.router.domain.case import Case
from services.router.domain.journal import SYSTEM, Occasion
from services.router.domain.offering import release, reprioritise
from services.router.handlers.aside import transact
from services.router.handlers.book import Book
from services.router.handlers.rounds import to_itself
from services.router.storage import cases as cases_table
from services.router.storage import queues
from services.runtime.context import ServiceContext
from services.runtime.database import Connection
from services.runtime.lifecycle import wait
from services.runtime.work import Outgoing

SWEEP = "sweep"
SWEEP_MAX = 200
SWEEP_SECONDS = 1.0
IDLE_PART = 120
"""What nobody works on is looked for so many times in the shortest time that the policy gives it, if not each sweep."""


async def sweep_loop(context: ServiceContext) -> None:
    """Sweep every second until told to stop; what nobody works on is looked for less often while there is none."""
    clock = asyncio.get_running_loop().time
    pause = min(context.policy.routing.idle_seconds.values()) / IDLE_PART
    idle_at, idle, said = clock(), True, False

    async def work(connection: Connection, now: datetime) -> Sequence[Outgoing]:
        nonlocal said
        found = await sweep(connection, now, context.policy, idle=idle)
        said = bool(found)
        return found

    while not context.stopping.is_set():
        idle = clock() >= idle_at
        await transact(context, work)
        if idle and not said:
            idle_at = clock() + pause
        await wait(context.stopping, SWEEP_SECONDS)


async def sweep(connection: Connection, now: datetime, policy: Policy, *, idle: bool = True) -> list[Outgoing]:
    """Tell new bands of waiting cases (C7), and take back what nobody works on (A7) if that is looked for."""
    moved = await queues.moved(connection, now, policy.routing, SWEEP_MAX)
    left = await queues.idle(connection, now, policy.routing, SWEEP_MAX) if idle else []
    if not moved and not left:
        return []
    book = Book(policy, now, await cases_table.load_free(connection, {*moved, *left}))
    for case in list(book.cases.values()):
        cause = to_itself(SWEEP, case, now, None)
        occasion = Occasion(cause.cause, cause.message_id, SYSTEM, now, policy)
        if case.state == "queued":
            book.keep((reprioritise(case, occasion),), cause)
        elif _is_idle(case, now, policy):
            book.keep((release(case, "idle", occasion),), cause)
    return await book.save(connection)


def _is_idle(case: Case, now: datetime, policy: Policy) -> bool:
    bound = timedelta(seconds=policy.routing.idle_seconds[case.classification.severity])
    held = burden(case, policy.routing.capacity) is not None
    return held and case.state == "assigned" and case.worked_at is not None and case.worked_at + bound <= now
