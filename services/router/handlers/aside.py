"""What becomes of a case, or of an agent's profile, that a round meets and cannot read?

A message about it waits in the parking lot until a person has mended the case. A round has no message, and would meet
the same case again at once and for ever while all others wait; so the case is set aside, the log names it, and the
round goes on without it. An agent whose profile cannot be read is asked for nothing until it is set anew.
"""

from collections.abc import Sequence
from datetime import datetime

from services.router.storage import agents, cases
from services.router.storage.agents import UnreadableAgentError
from services.router.storage.bodies import UnreadableCaseError
from services.runtime.context import ServiceContext, Transaction
from services.runtime.database import Connection
from services.runtime.work import Outgoing


async def transact(context: ServiceContext, work: Transaction) -> None:
    """Do a round's work in one transaction; a case in its way is set aside, and the work done without it."""
    while True:
        try:
            await context.transact(work)
        except (UnreadableCaseError, UnreadableAgentError) as problem:
            await _set_aside(context, problem)
        else:
            return


async def _set_aside(context: ServiceContext, problem: UnreadableCaseError | UnreadableAgentError) -> None:
    async def work(connection: Connection, _now: datetime) -> Sequence[Outgoing]:
        if isinstance(problem, UnreadableCaseError):
            await cases.set_aside(connection, problem.case_id)
        else:
            await agents.set_aside(connection, problem.agent_id)
        return ()

    await context.transact(work)
    if isinstance(problem, UnreadableCaseError):
        context.log.error("case_unreadable", case_id=str(problem.case_id), problem=str(problem))
    else:
        context.log.error("agent_unreadable", agent_id=problem.agent_id, problem=str(problem))
