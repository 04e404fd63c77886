"""What is the service intake?"""

from contracts.topics import CHANNELS
from services.intake import storage
from services.intake.domain.reading import READS
from services.intake.handlers import WANTS, handler_of
from services.runtime.lifecycle import wait
from services.runtime.service import Service, ServiceContext
from services.runtime.waiting import Rest

FORGET_EVERY_SECONDS = 600.0


async def forget(context: ServiceContext) -> None:
    """Delete now and then what has no meaning any more, outside every business transaction."""
    while not context.stopping.is_set():
        async with context.pool.acquire() as connection, connection.transaction():
            await storage.forget_old(connection, context.clock.now())
        await wait(context.stopping, FORGET_EVERY_SECONDS)


SERVICE = Service(
    name="intake",
    topics=(*(f"channel.{channel}" for channel in CHANNELS), "case.events"),
    wants=WANTS,
    reads=READS,
    handler_of=handler_of,
    rest=Rest(turns=3.0, seconds_max=0.075),
    loops=(forget,),
)
