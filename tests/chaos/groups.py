"""Rows 17 to 19 and 47: what when members come and go, offsets are reset or gone, and everything runs twice?"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest

from tests.chaos.registry import row
from tests.chaos.rig import SERVICE_NAMES, Rig
from tests.support.history.recording import SERVICES

EMPTY_SECONDS = 10.0
LEASE_SECONDS = 6.0


@row("17", "members of intake and router join and leave every second")
async def members_come_and_go(rig: Rig) -> None:
    for round_number in range(6):
        joined = [await rig.replica(service) for service in ("intake", "router")]
        await rig.wait(rig.between(0.5, 2.5))
        for number, process in enumerate(joined):
            process.send_signal(signal.SIGKILL if (number + round_number) % 2 else signal.SIGTERM)
    await asyncio.gather(*(rig.ended(process) for process in rig.replicas))


@row("18", "Kafka's offsets of every group are set back to the beginning")
async def offsets_are_reset(rig: Rig) -> None:
    for service, topics in SERVICES.items():
        await _while_empty(rig, service, partial(_set_back, rig, service, topics))


@row("19", "the consumer groups are deleted in Kafka")
async def groups_are_deleted(rig: Rig) -> None:
    for service in SERVICE_NAMES:
        await _while_empty(rig, service, partial(_delete, rig, service))


@row("47", "every service runs twice; the first of each stands still beyond its leases and goes on")
async def everything_runs_twice(rig: Rig) -> None:
    for service in SERVICE_NAMES:
        await rig.replica(service)
    await rig.wait(4.0)
    stopped = [await rig.hit(service, signal.SIGSTOP) for service in SERVICE_NAMES]
    await rig.wait(LEASE_SECONDS + 2.0)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    await rig.wait(2.0)


async def _while_empty(rig: Rig, service: str, change: Callable[[], Awaitable[None]]) -> None:
    """End the service in order and do this before `up` starts it again: only an empty group can be changed."""
    pid = await rig.hit(service, signal.SIGTERM)
    async with asyncio.timeout(EMPTY_SECONDS):
        while True:
            try:
                await change()
            except KafkaError:
                await asyncio.sleep(0.02)
            else:
                break
    await rig.restarted(service, pid)


async def _set_back(rig: Rig, service: str, topics: Sequence[str]) -> None:
    group = rig.addresses.prefix + service
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.addresses.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        names = [rig.addresses.prefix + topic for topic in topics]
        await consumer._client.set_topics(names)
        parts = [TopicPartition(name, part) for name in names for part in consumer.partitions_for_topic(name)]
        consumer.assign(parts)
        await consumer.commit(dict.fromkeys(parts, 0))
    finally:
        await consumer.stop()


async def _delete(rig: Rig, service: str) -> None:
    group = rig.addresses.prefix + service
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.addresses.kafka)
    await admin.start()
    try:
        coordinator = await admin.find_coordinator(group)
        answer = await admin._send_request(DeleteGroupsRequest([group]), coordinator)
        for _, code in answer.results:
            if code:
                raise KafkaError(f"group {group} cannot be deleted: {code}")
    finally:
        await admin.close()
