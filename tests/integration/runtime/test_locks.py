"""What if somebody holds the lock of one row: who waits, and for how long?"""

from collections.abc import Sequence

from services.runtime.database import Pool
from services.runtime.work import Outgoing, Work
from tests.support.tiny import CHAT, Notes, a_consumer, adopted, effects, ended, lot, marks, number_of, slice_of

LOCKED = 11


async def test_after_one_long_wait_the_culprit_is_looked_for_without_waiting(tiny: Pool) -> None:
    records = slice_of([ended(f"c-{number}", number) for number in range(32)])
    waits: list[tuple[int, str]] = []
    await tiny.execute("CREATE TABLE rows (number integer PRIMARY KEY)")
    await tiny.execute("INSERT INTO rows SELECT generate_series(0, 31)")

    async def handler(work: Work) -> Sequence[Outgoing]:
        numbers = [number_of(received.message) for received in work.received]
        waits.append((len(numbers), await work.connection.fetchval("SHOW lock_timeout")))
        await work.connection.execute("SELECT FROM rows WHERE number = ANY ($1) FOR UPDATE", numbers)
        return await Notes()(work)

    async with tiny.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM rows WHERE number = $1 FOR UPDATE", LOCKED)
        consumer = await adopted(a_consumer(tiny, handler), records)
        await consumer.settle([records])

    assert [number for _, number in await effects(tiny)] == [number for number in range(32) if number != LOCKED]
    assert await lot(tiny) == [("retry", "conflict", LOCKED)]
    assert await marks(tiny) == {CHAT: 32}
    assert waits[0] == (32, "3s")
    assert len(waits) == 11
    assert {timeout for size, timeout in waits if size < 32} == {"100ms"}
