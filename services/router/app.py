"""What is the router made of?"""

from functools import partial

from contracts import desk
from contracts.channel import AgentPresenceChanged, AgentProfileSet
from contracts.intake import ContactCallbackRequested, ContactReceived
from contracts.message import Message
from contracts.policy import Policy
from services.router.bell import Bell
from services.router.domain.commands import TABLE
from services.router.domain.reports import REPORTS
from services.router.handlers import messages
from services.router.handlers.snapshots import snapshots_loop
from services.router.handlers.sweeps import sweep_loop
from services.router.matcher import Matcher
from services.router.storage.agents import Everybody
from services.runtime.service import Service, ServiceContext
from services.runtime.waiting import Rest
from services.runtime.work import Handler

WANTS: frozenset[type[Message]] = frozenset(
    {
        ContactReceived,
        ContactCallbackRequested,
        AgentProfileSet,
        AgentPresenceChanged,
        *TABLE,
        *REPORTS,
    }
)


def service(bell: Bell) -> Service:
    """Return the router; handler and matcher share the bell."""

    async def matcher(context: ServiceContext) -> None:
        await Matcher(context, bell).run()

    return Service(
        name="router",
        topics=("contacts", desk.Command.topic, AgentProfileSet.topic, "followups", "notifications"),
        wants=WANTS,
        handler_of=partial(_handler, bell=bell),
        rest=Rest(turns=0.5, seconds_max=0.03),
        loops=(matcher, sweep_loop, snapshots_loop),
    )


def _handler(policy: Policy, bell: Bell) -> Handler:
    return messages.handler(policy, bell, Everybody())


SERVICE = service(Bell())
