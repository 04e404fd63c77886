"""Rows 12 to 14 and 20: what when one of three brokers dies or stands still, and when unread records are deleted?"""

import asyncio
import os
import signal
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.chaos.processes import SESSION_SECONDS
from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.cluster import BROKERS, Cluster
from tests.support.driver import Driver
from tests.support.history import History, Verdict

TEXTS = "channel.sms"
"""A door that the load does not use."""
STRETCH = 60
COUNTED = "SELECT sum(next_offset - first_offset)::bigint FROM missed WHERE topic = $1"

BACK_SECONDS = 3.0
"""So long a broker that came back has time to catch up before the next goes."""


@row("12", "one of three brokers is killed and started again", three_brokers=True, rate=15.0)
async def a_broker_dies(rig: Rig) -> None:
    cluster, number = cluster_of(rig), rig.dice.randint(1, BROKERS)
    await asyncio.to_thread(cluster.kill, number)
    await rig.goes_on(5.0)
    await asyncio.to_thread(cluster.start, number)
    await rig.wait(BACK_SECONDS)


@row("13", "the three brokers are stopped in order and started again, one by one", three_brokers=True, rate=15.0)
async def brokers_restart(rig: Rig) -> None:
    cluster = cluster_of(rig)
    for number in range(1, BROKERS + 1):
        await asyncio.to_thread(cluster.processes[number].stop)
        await asyncio.to_thread(cluster.start, number)
        await rig.wait(BACK_SECONDS)


@row("14", "one of three brokers stands still beyond every time-out, and goes on", three_brokers=True, rate=15.0)
async def a_broker_stands_still(rig: Rig) -> None:
    pid = cluster_of(rig).processes[rig.dice.randint(1, BROKERS)].pid
    os.kill(pid, signal.SIGSTOP)
    await rig.goes_on(20.0)
    os.kill(pid, signal.SIGCONT)
    await rig.wait(BACK_SECONDS)


@row("20", "messages that nobody has read yet are deleted: each is counted, none in silence")
async def unread_is_deleted(rig: Rig) -> None:
    async with rig.another_driver() as driver:
        await _texts(driver, 0)
        await rig.until(lambda: _opened(driver) >= STRETCH)
        pid = await rig.hit("intake", signal.SIGSTOP)
        await _texts(driver, STRETCH)
        await _delete(rig)
        await rig.wait(2.0 if rig.seed % 2 else SESSION_SECONDS + 3.0)
        os.kill(pid, signal.SIGCONT)
        began = time.perf_counter()
        async with rig.database("intake") as database:
            await rig.until_table(database, "SELECT count(*) > 0 FROM missed", wanted=True)
            rig.figures["detection_seconds"] = round(time.perf_counter() - began, 2)
            await _texts(driver, 2 * STRETCH)
            await rig.until(lambda: _opened(driver) >= 2 * STRETCH)
            await rig.wait(1.0)
            counted = await database.fetchval(
                "SELECT sum(next_offset - first_offset) FROM missed WHERE topic = $1", TEXTS
            )
    rig.figures["missed"] = int(counted or 0)
    rig.must(lambda history, verdict: _each_is_counted(history, verdict, int(counted or 0)))


async def _texts(driver: Driver, first: int) -> None:
    for number in range(first, first + STRETCH):
        conversation = f"text-{number}"
        data = {**driver.first(conversation, 8_000_000 + number), "channel": "sms"}
        await driver.say(conversation, data)


def _opened(driver: Driver) -> int:
    return sum(conversation.startswith("text-") for conversation in driver.of_case.values())


async def _delete(rig: Rig) -> None:
    """Do what retention does, to all that stands on the door now."""
    topic = rig.addresses.prefix + TEXTS
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.addresses.kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.addresses.kafka)
    await consumer.start()
    await admin.start()
    try:
        await consumer._client.set_topics([topic])
        parts = [TopicPartition(topic, part) for part in consumer.partitions_for_topic(topic)]
        ends = await consumer.end_offsets(parts)
        await admin.delete_records({part: RecordsToDelete(end) for part, end in ends.items() if end})
    finally:
        await admin.close()
        await consumer.stop()


def _each_is_counted(history: History, verdict: Verdict, counted: int) -> None:
    """A message that is gone had its effect before, or is among those that were counted."""
    understood = {record.cause[0] for record in history.on("contacts")}
    gone = [sent for sent in history.sent if sent.topic == TEXTS and sent.id not in understood]
    words = tuple(f" {sent.id} stands nowhere" for sent in history.sent if sent.topic == TEXTS)
    verdict.findings = [
        each for each in verdict.findings if not each.where.startswith(f"{TEXTS} ") and not each.problem.endswith(words)
    ]
    if len(gone) != counted:
        verdict.add("lost", TEXTS, f"{len(gone)} messages had no effect, and {counted} are known to be missed")


def cluster_of(rig: Rig) -> Cluster:
    """Return the row's own brokers."""
    if rig.cluster is None:
        raise AssertionError("the row needs three brokers")
    return rig.cluster
