"""Do all others go on, in order per key, when a partition takes nothing or a row cannot be read?"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from io import StringIO

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.runtime import kafka, metrics, outbox
from services.runtime.database import Pool
from services.runtime.frames import Frame, pack, unpack
from services.runtime.logs import Log
from services.runtime.outbox import bucket_of
from services.runtime.publishing import KafkaPublisher
from services.runtime.relay import UPGRADE, Relay
from services.runtime.settings import Settings
from tests.support.floor import Seen, a_relay, make_topic, outbox_ids, reading, relaying, until
from tests.support.relays import nothing_waits

KEYS = [f"key-{number}".encode() for number in range(12)]
ROUNDS = 5
ROWS_MAX = 8
"""Far fewer than what one partition holds up in these tests."""
REFUSED_BYTES = 2000
NEWER = b"\x03" + b"written by a release of tomorrow"


def frames(topic: str, rounds: Iterable[int], size: int = 1) -> list[Frame]:
    """Return what each key says in each round."""
    return [Frame(topic, key, f"{number:05}".encode().ljust(size, b"."), []) for number in rounds for key in KEYS]


async def store(pool: Pool, said: Sequence[Frame]) -> None:
    """Store each in a row of its own."""
    async with pool.acquire() as connection, connection.transaction():
        for frame in said:
            await outbox.store(connection, [frame])


async def make_narrow(settings: Settings) -> None:
    """Make a topic that refuses what is large."""
    narrow = NewTopic(f"{settings.topic_prefix}contacts", 3, 1, topic_configs={"max.message.bytes": "1000"})
    async with kafka.admin(settings) as client:
        await client.create_topics([narrow])


async def widen(settings: Settings) -> None:
    """Let the narrow topic take everything."""
    topic = f"{settings.topic_prefix}contacts"
    async with kafka.admin(settings) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "1000000"})])


def narrow_relay(pool: Pool, publisher: KafkaPublisher, settings: Settings) -> Relay:
    relay = a_relay(pool, publisher, settings)
    relay.rows_max = ROWS_MAX
    return relay


def said_by(seen: Seen, key: bytes) -> list[int]:
    return [int(record.value[:5]) for record in seen.records if record.key == key]


def at_least(count: int) -> Callable[[Seen], bool]:
    return lambda seen: len(seen.records) >= count


async def test_a_topic_that_refuses_holds_up_only_itself_and_has_everything_in_order_afterwards(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    await make_narrow(settings)
    refused, others = frames("contacts", range(ROUNDS), REFUSED_BYTES), frames("case.commands", range(ROUNDS))
    await store(pool, refused)
    await store(pool, others)

    async with relaying(narrow_relay(pool, publisher, settings)) as relay:
        async with reading(settings, "case.commands") as read_until:
            seen = await read_until(at_least(len(others)))
        assert "takes nothing" in (relay.warning() or "")
        assert metrics.OUTBOX_HELD._value.get() > 0
        await store(pool, frames("contacts", range(ROUNDS, 2 * ROUNDS), 1))  # which alone would be taken
        await widen(settings)
        async with reading(settings, "contacts") as read_until:
            late = await read_until(at_least(2 * len(refused)))
        await until(lambda: nothing_waits(pool))
        assert relay.warning() is None

    for key in KEYS:
        assert said_by(seen, key) == list(range(ROUNDS))
        assert said_by(late, key) == list(range(2 * ROUNDS))


async def test_what_has_arrived_of_a_row_is_not_repeated_while_the_rest_is_refused(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    await make_narrow(settings)
    rounds = range(ROUNDS)
    both = zip(frames("case.commands", rounds), frames("contacts", rounds, REFUSED_BYTES), strict=True)
    async with pool.acquire() as connection, connection.transaction():
        for pair in both:
            await outbox.store(connection, pair)
    count = ROUNDS * len(KEYS)

    async with relaying(narrow_relay(pool, publisher, settings)), reading(settings, "case.commands") as read_until:
        await read_until(at_least(count))
        await until(lambda: only_waiting_for(pool, "contacts"))
        await widen(settings)
        await until(lambda: nothing_waits(pool))
        await store(pool, frames("case.commands", [ROUNDS]))
        seen = await read_until(at_least(count + len(KEYS)))

    for key in KEYS:
        assert said_by(seen, key) == [*rounds, ROUNDS]


async def only_waiting_for(pool: Pool, topic: str) -> bool:
    rows = await pool.fetch("SELECT frames FROM outbox")
    return {frame.topic for row in rows for frame in unpack(row["frames"])} == {topic}


async def test_a_topic_that_is_not_there_holds_up_only_itself(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    missing, others = frames("contacts", range(ROUNDS)), frames("case.commands", range(ROUNDS))
    await store(pool, missing)
    await store(pool, others)

    async with relaying(narrow_relay(pool, publisher, settings)):
        async with reading(settings, "case.commands") as read_until:
            await read_until(at_least(len(others)))
        await make_topic(settings, "contacts")
        async with reading(settings, "contacts") as read_until:
            late = await read_until(at_least(len(missing)))
        await until(lambda: nothing_waits(pool))

    for key in KEYS:
        assert said_by(late, key) == list(range(ROUNDS))


async def test_a_row_of_a_newer_release_stops_its_bucket_only_and_says_so(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    stopped = bucket_of(KEYS[0])
    before, behind = frames("case.commands", [0]), frames("case.commands", range(1, ROUNDS))
    await store(pool, before)
    newer = await pool.fetchval("INSERT INTO outbox (bucket, frames) VALUES ($1, $2) RETURNING id", stopped, NEWER)
    await store(pool, behind)
    waiting = [frame for frame in behind if bucket_of(frame.key) == stopped]

    relay, lines = narrow_relay(pool, publisher, settings), StringIO()
    relay.log = Log("test", "error", lines)
    async with relaying(relay), reading(settings, "case.commands") as read_until:
        await read_until(at_least(len(before) + len(behind) - len(waiting)))
        await until(lambda: has_left(pool, 1 + len(waiting)))
        assert await outbox_ids(pool) == sorted(await outbox_ids(pool))
        assert (await outbox_ids(pool))[0] == newer
        assert await pool.fetchval("SELECT frames FROM outbox WHERE id = $1", newer) == NEWER
        assert relay.warning() == f"row {newer} in bucket {stopped} of the outbox cannot be read: {UPGRADE}"
        assert metrics.OUTBOX_STANDING._value.get() == 1
        (line,) = map(json.loads, lines.getvalue().splitlines())
        assert (line["event"], line["bucket"], line["row"]) == ("outbox_unreadable", stopped, newer)

        await pool.execute("UPDATE outbox SET frames = $2 WHERE id = $1", newer, pack([]))
        seen = await read_until(at_least(len(before) + len(behind)))
        await until(lambda: nothing_waits(pool))
        await until(lambda: is_well(relay))

    for key in KEYS:
        assert said_by(seen, key) == list(range(ROUNDS))


async def test_what_is_left_of_a_row_is_kept_however_long_it_is(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    """Else what has arrived since would be sent again and again."""
    relay, place = a_relay(pool, publisher, settings), ("contacts", 0)
    first, second = (Frame("contacts", b"key", letter * 4, []) for letter in (b"a", b"b"))
    assert len(pack([first])) == len(pack([second]))
    await store(pool, [first])
    (row,) = await outbox_ids(pool)

    async with pool.acquire() as connection:
        await relay._set_aside(connection, {row: [(place, first)]})
        await relay._set_aside(connection, {row: [(place, second)]})

    assert unpack(await pool.fetchval("SELECT frames FROM outbox")) == [second]


async def has_left(pool: Pool, rows: int) -> bool:
    return len(await outbox_ids(pool)) == rows


async def is_well(relay: Relay) -> bool:
    return relay.warning() is None


async def test_nobody_stands_behind_a_partition_for_which_nothing_is_left(
    settings: Settings, pool: Pool, publisher: KafkaPublisher
) -> None:
    relay = a_relay(pool, publisher, settings)
    relay.holding.tried({("contacts", 0)}, (), 0.0)
    for _ in range(2):
        relay.holding.tried({("contacts", 1)}, {("contacts", 0)}, asyncio.get_running_loop().time() - 1.5)

    async with pool.acquire() as connection:
        assert await relay.take(connection, ()) == {}

    assert set(relay.holding.places()) == {("contacts", 1)}
