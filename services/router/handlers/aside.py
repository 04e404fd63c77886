"""What becomes of a case, or of an agent's profile, that a round meets and cannot read, or of a case grown too large?

A message about it waits in the parking lot until a person has mended the case. A round has no message, and would meet
the same case again at once and for ever while all others wait; so the case is set aside, the log names it, and the
round goes on without it. An agent whose profile cannot be read is asked for nothing until it is set anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from services.router.storage import agents, cases
from services.router.storage.agents import UnreadableAgentError
from services.router.storage.bodies import CaseTooLargeError, UnreadableCaseError
from services.runtime.context import ServiceContext, Transaction
from services.runtime.database import Connection
from services.runtime.errors import CaseloopError
from services.runtime.logs import Event
from services.runtime.work import Outgoing

SPOILT = (UnreadableCaseError, UnreadableAgentError, CaseTooLargeError)
"""What :func:`transact` sets aside."""


async def transact(context: ServiceContext, work: Transaction) -> None:
    """Do a round's work in one transaction; what is in its way is set aside, and the work done without it."""
    while True:
        try:
            await context.transact(work)
        except UnreadableCaseError as problem:
            await _do(context, partial(cases.set_aside, case_id=problem.case_id))
            _tell(context, "case_unreadable", problem, case_id=str(problem.case_id))
        except UnreadableAgentError as problem:
            await _do(context, partial(agents.set_aside, agent_id=problem.agent_id))
            _tell(context, "agent_unreadable", problem, agent_id=problem.agent_id)
        except CaseTooLargeError as problem:
            await _do(context, partial(cases.set_aside, case_id=problem.case_id))
            _tell(context, "case_too_large", problem, case_id=str(problem.case_id))
        else:
            return


async def _do(context: ServiceContext, change: Callable[[Connection], Awaitable[None]]) -> None:
    async def work(connection: Connection, _now: datetime) -> Sequence[Outgoing]:
        await change(connection)
        return ()

    await context.transact(work)


def _tell(context: ServiceContext, event: Event, problem: CaseloopError, **whose: str) -> None:
    context.log.error(event, **whose, problem=str(problem))
