"""What is the smallest service that stands on the runtime?

``python -m tests.support.tiny_service NAME``: for each milestone, and each timer about a case, it says that a
notification was requested. With ``dying`` behind the name a loop of its own ends by itself.
"""

import asyncio
import sys
from collections.abc import Sequence
from uuid import UUID

from contracts.desk import ReachMilestone
from contracts.message import derived_id
from contracts.notify import NotificationRequested
from contracts.policy import Policy
from contracts.values import PolicyRef
from services.runtime.service import Service, ServiceContext, run
from services.runtime.work import Handler, Outgoing, Received, TimerFired, Work


def handler_of(policy: Policy) -> Handler:
    """Return the handler."""
    judged_by = PolicyRef(name=policy.name, version=policy.version)

    async def handle(work: Work) -> Sequence[Outgoing]:
        await asyncio.sleep(0)
        return [answer(received, case_of(received), judged_by) for received in work.received]

    return handle


def case_of(received: Received) -> UUID:
    """Return the case that a command or a timer is about."""
    match received.message:
        case ReachMilestone():
            return received.message.case_id
        case TimerFired():
            return UUID(received.message.key)
        case _:
            raise TypeError(received.type)


def answer_id(message_id: UUID) -> UUID:
    """Return the id of the answer to a command."""
    return derived_id("delivery", message_id)


def answer(received: Received, case_id: UUID, judged_by: PolicyRef) -> Outgoing:
    """Return what is said about a case."""
    delivery_id = answer_id(received.message_id)
    said = NotificationRequested(
        delivery_id=delivery_id,
        case_id=case_id,
        purpose="milestone",
        channel="sms",
        occurred_at=received.time,
        policy=judged_by,
        cause=received.cause,
    )
    return Outgoing(said, delivery_id, received)


async def dying_loop(context: ServiceContext) -> None:
    """End by itself, which no loop may."""
    context.log.debug("retired")


def service(name: str, *, dying: bool = False) -> Service:
    """Return the declaration."""
    return Service(
        name=name,
        topics=("case.commands",),
        wants=frozenset({ReachMilestone}),
        handler_of=handler_of,
        loops=(dying_loop,) if dying else (),
    )


if __name__ == "__main__":
    run(service(sys.argv[1], dying="dying" in sys.argv))
