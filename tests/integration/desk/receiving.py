"""How does a test give messages to desk as the runtime does?"""

from collections.abc import Sequence

from contracts.message import Message, derived_id
from services.desk.handlers import handle
from services.runtime.database import Pool
from services.runtime.work import Received, Work
from tests.support.examples import MOMENT


async def receive(pool: Pool, messages: Sequence[Message]) -> None:
    """Let desk handle these in one transaction."""
    received = [_received(place, message) for place, message in enumerate(messages)]
    async with pool.acquire() as connection, connection.transaction():
        assert await handle(Work(connection, received, MOMENT)) == []


def _received(place: int, message: Message) -> Received:
    message_id = derived_id("received", place)
    return Received(
        message=message,
        message_id=message_id,
        ce_id=str(message_id),
        source="caseloop/test",
        type=message.type,
        time=MOMENT,
        traceparent=None,
        topic=message.topic_name(),
        partition=0,
        offset=place,
        key=message.key(),
        value=message.value(),
    )
