"""What is notify made of?"""

from contracts.policy import Policy
from services.notify.channels.receipts import routes
from services.notify.handlers import WANTS, handler_of
from services.notify.handlers.dispatch import dispatch
from services.notify.reading import reads
from services.notify.settings import NotifySettings
from services.notify.storage.receipts import RETIRE_EARLY
from services.runtime.looking import DueEvent
from services.runtime.service import Service, ServiceContext
from services.runtime.waiting import UNHURRIED
from services.runtime.work import Handler


def service() -> Service:
    """Return notify, wired: the handler rings for the dispatcher when it has queued something."""
    queued = DueEvent()

    def handler(policy: Policy) -> Handler:
        return handler_of(policy, queued)

    async def dispatcher(context: ServiceContext) -> None:
        await dispatch(context, queued)

    return Service(
        name="notify",
        topics=("case.events", "followups", "contacts", "channel.receipts"),
        wants=WANTS,
        reads=reads(),
        handler_of=handler,
        rest=UNHURRIED,
        settings=NotifySettings,
        retires=(RETIRE_EARLY,),
        loops=(dispatcher,),
        routes=routes,
    )


SERVICE = service()
