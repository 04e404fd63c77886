"""Does every contact become exactly one case while every service is killed, joined and left under load?"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.router import verify_hash
from tests.support.driver import Driver
from tests.support.system import AWAKE, System, running_system

EVENTS = 20_000
REPEATED = 4_000
"""20 % of the events are second copies."""
SERVICES = ("intake", "router", "followup", "notify", "desk")
DEADLINE_SECONDS = 240.0


@pytest.mark.timeout(420)
def test_twenty_thousand_events_with_kills_joins_and_leaves(tmp_path: Path) -> None:
    with running_system(tmp_path, *AWAKE) as system:
        asyncio.run(_under_fire(system))


async def _under_fire(system: System) -> None:
    driver = Driver(system.kafka, uuid4().hex[:8], closing=False)
    cases = EVENTS - REPEATED
    await driver.start()
    try:
        await driver.agents(4, ("front_desk", "technical_support", "operations", "after_sales_desk", "complaint_desk"))
        async with asyncio.TaskGroup() as group:
            group.create_task(_trouble(system))
            for number in range(cases):
                await driver.contact(copies=2 if number < REPEATED else 1)
                if number % 500 == 0:
                    await asyncio.sleep(0.05)
        await driver.until_told(cases, DEADLINE_SECONDS)
    finally:
        await driver.stop()
    _check_journal(await _journal(system), cases)
    await _check_tables(system, cases)
    await _check_provider(system, cases)


async def _trouble(system: System) -> None:
    """Kill every service twice at random moments, and let a second intake and router join and leave."""
    dice = random.Random(7)
    for round_number in range(2):
        joined = [system.replica(name) for name in ("intake", "router")]
        for name in dice.sample(SERVICES, len(SERVICES)):
            await asyncio.sleep(dice.uniform(0.5, 2.0))
            os.kill(system.present_pid(name), signal.SIGKILL)
        for number, process in enumerate(joined):
            process.send_signal(signal.SIGKILL if (number + round_number) % 2 else signal.SIGTERM)
            await asyncio.to_thread(process.wait)


async def _journal(system: System) -> dict[str, list[tuple[str, bytes]]]:
    """Return, by case, type and value of every record of `case.events`, in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    parts = [TopicPartition("case.events", part) for part in range(12)]
    ends = await consumer.end_offsets(parts)
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, 0)
    stories: dict[str, list[tuple[str, bytes]]] = {}
    while [part for part in parts if await consumer.position(part) < ends[part]]:
        for records in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
            for record in records:
                kind = dict(record.headers)["ce_type"].decode()
                stories.setdefault(record.key.decode(), []).append((kind, record.value))
    await consumer.stop()
    return stories


def _check_journal(stories: dict[str, list[tuple[str, bytes]]], cases: int) -> None:
    assert len(stories) == cases
    opened = Counter(orjson.loads(story[0][1])["contact"]["conversation_id"] for story in stories.values())
    assert len(opened) == cases
    for case_id, story in stories.items():
        expected = 1
        for _, value in story:
            version = orjson.loads(value)["version"]
            assert version <= expected, f"{case_id}: version {version} came before {expected}"
            expected = max(expected, version + 1)  # the relay may repeat, it may not skip or turn back to what is new
        assert story[0][0] == "caseloop.case.opened.v1"
    assert all(verify_hash(value) for story in list(stories.values())[:2000] for _, value in story)


async def _check_tables(system: System, cases: int) -> None:
    connection = await asyncpg.connect(system.postgres)
    assert await connection.fetchval("SELECT count(*) FROM router.cases") == cases
    parked = {
        name: await connection.fetchval(f"SELECT count(*) FROM {name}.parked")  # noqa: S608 - our own five names
        for name in SERVICES
    }
    await connection.close()
    assert parked == dict.fromkeys(SERVICES, 0)


async def _check_provider(system: System, cases: int) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        answer = (await client.get(f"{system.sms}/messages")).json()
    messages = answer["messages"] if isinstance(answer, dict) else answer
    milestones = [each["client_reference"] for each in messages if each["text"].startswith("The fix for case")]
    assert len(messages) == len({each["client_reference"] for each in messages})
    assert len(milestones) == len(set(milestones)) == cases, json.dumps(messages[:2])
