"""What becomes of messages about a stored case that cannot be read, before and after somebody mends it?"""

from contracts import desk
from contracts.message import Message, derived_id
from services.router.bell import Bell
from services.router.handlers.messages import handler
from services.runtime import envelope
from services.runtime.consumer import Consumer
from services.runtime.records import Record, Slice
from services.runtime.retrier import retry_due
from tests.integration.router.conftest import LOG, Router
from tests.support.tiny import SettableClock, a_processing, adopted, lot
from tests.unit.router.given import NOW, command, proposed, words


def record_of(message: Message, offset: int) -> Record:
    headers = envelope.seal(
        message, message_id=derived_id("sent", offset), source="caseloop/desk", time=NOW, traceparent=None
    )
    return Record(message.topic_name(), 0, offset, 0, message.key().encode(), message.value(), headers)


async def test_they_wait_in_their_order_and_go_on_when_it_is_mended(router: Router) -> None:
    await router.tell(words(demands=(proposed(),)))
    good = await router.pool.fetchval("SELECT body FROM cases")
    await router.pool.execute("UPDATE cases SET body = '\\x00'")
    clock, said = SettableClock(NOW), handler(router.policy, Bell())
    open_record = envelope.opener([desk.RecordProgress])
    consumer = Consumer(a_processing(router.pool, said, clock), router.pool, clock, open_record, LOG)
    steps = [command(desk.RecordProgress, step=f"step {number}", action="looked") for number in range(2)]
    slices = [Slice(steps[0].topic_name(), 0, [record_of(step, offset)]) for offset, step in enumerate(steps)]
    await adopted(consumer, slices[0])

    await consumer.settle([slices[0]])
    await router.pool.execute("UPDATE cases SET body = $1", good)
    await consumer.settle([slices[1]])
    assert await lot(router.pool) == [("retry", "handler_failed", 0), ("retry", "behind", 1)]

    clock.pass_by(60)
    await retry_due(consumer.processing, router.pool, open_record, consumer.keep)
    assert [status for status, _, _ in await lot(router.pool)] == ["retried"] * 2
