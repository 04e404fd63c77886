"""Does every contact become exactly one case while every service is killed, joined and left under load?

Two witnesses: the product's own auditor, which must find everything proven, and what this test reads itself.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.router import verify_hash
from contracts.router.event import ZERO_HASH
from tests.support.driver import CAPACITY, Driver
from tests.support.system import AWAKE, System, running_system

EVENTS = 20_000
REPEATED = 4_000
"""20 % of the events are second copies."""
SERVICES = ("intake", "router", "followup", "notify", "desk")
JOINING = (("intake", "router", "followup"), ("router", "notify", "desk"))
"""Who gets a second process in each round; more at a time than two cores can run would only make the test slow."""
DEADLINE_SECONDS = 240.0
TRIES = 5
Stories = dict[str, list[tuple[str, bytes]]]
"""By case, type and value of every record of ``case.events``, in order."""


@pytest.mark.timeout(420)
def test_twenty_thousand_events_with_kills_joins_and_leaves(tmp_path: Path) -> None:
    with running_system(tmp_path, *AWAKE) as system:
        asyncio.run(_under_fire(system))


async def _under_fire(system: System) -> None:
    driver = Driver(system.kafka, uuid4().hex[:8], closing=False)
    cases = EVENTS - REPEATED
    await driver.start()
    try:
        # A place for every case: what finds none waits two minutes until other departments help out.
        await driver.agents(cases // CAPACITY + 4, ("technical_support",))
        async with asyncio.TaskGroup() as group:
            group.create_task(_trouble(system))
            for number in range(cases):
                await driver.contact(copies=2 if number < REPEATED else 1)
                if number % 500 == 0:
                    await asyncio.sleep(0.05)
        await driver.until_told(cases, DEADLINE_SECONDS)
        await driver.until_quiet(DEADLINE_SECONDS)
    finally:
        await driver.stop()
    stories, versions = await _settled(system)
    _check_journal(stories, cases)
    assert _untold(stories, versions) == []
    await _check_lots(system)
    await _check_provider(system, cases)
    _check_audit(await asyncio.to_thread(system.cli, "audit", "--json", check=False), cases)


async def _trouble(system: System) -> None:
    """Kill every service twice at random moments, and let a second process of each join and leave."""
    dice = random.Random(7)
    for round_number, joining in enumerate(JOINING):
        joined = [system.replica(name) for name in joining]
        for name in dice.sample(SERVICES, len(SERVICES)):
            await asyncio.sleep(dice.uniform(0.5, 2.0))
            os.kill(system.present_pid(name), signal.SIGKILL)
        for number, process in enumerate(joined):
            process.send_signal(signal.SIGKILL if (number + round_number) % 2 else signal.SIGTERM)
            await asyncio.to_thread(process.wait)


async def _settled(system: System) -> tuple[Stories, dict[str, int]]:
    """Return the journal, and the version of each case in the router's table.

    A clock may move a case on while the other of the two is read, so both are read again; a lost end stays.
    """
    for tries_left in reversed(range(TRIES)):
        stories = await _journal(system)
        connection = await asyncpg.connect(system.postgres)
        rows = await connection.fetch("SELECT case_id, version FROM router.cases")
        await connection.close()
        versions = {str(row["case_id"]): int(row["version"]) for row in rows}
        if not tries_left or not _untold(stories, versions):
            return stories, versions
    raise AssertionError


def _untold(stories: Stories, versions: dict[str, int]) -> list[tuple[str, int, int]]:
    """Return the cases whose last version on the topic is not that of the table, at most ten: case, told, version."""
    last = {case_id: max(orjson.loads(value)["version"] for _, value in story) for case_id, story in stories.items()}
    cases = last.keys() | versions.keys()
    wrong = ((case_id, last.get(case_id, 0), versions.get(case_id, 0)) for case_id in cases)
    return [each for each in wrong if each[1] != each[2]][:10]


async def _journal(system: System) -> Stories:
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka)
    await consumer.start()
    parts = [TopicPartition("case.events", part) for part in range(12)]
    ends = await consumer.end_offsets(parts)
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, 0)
    stories: Stories = {}
    while [part for part in parts if await consumer.position(part) < ends[part]]:
        for records in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
            for record in records:
                kind = dict(record.headers)["ce_type"].decode()
                stories.setdefault(record.key.decode(), []).append((kind, record.value))
    await consumer.stop()
    return stories


def _check_journal(stories: Stories, cases: int) -> None:
    assert len(stories) == cases
    opened = Counter(orjson.loads(story[0][1])["contact"]["conversation_id"] for story in stories.values())
    assert len(opened) == cases
    for case_id, story in stories.items():
        assert story[0][0] == "caseloop.case.opened.v1"
        _check_chain(case_id, [value for _, value in story])


def _check_chain(case_id: str, story: list[bytes]) -> None:
    """Check that each new version goes on from the one before; the relay may repeat, but not in other words."""
    known: list[bytes] = []
    previous = ZERO_HASH
    for value in story:
        event = orjson.loads(value)
        version = event["version"]
        assert version <= len(known) + 1, f"{case_id}: version {version} came before {len(known) + 1}"
        if version <= len(known):
            assert value == known[version - 1], f"{case_id}: version {version} was said in two ways"
            continue
        assert event["previous_hash"] == previous, f"{case_id}: version {version} does not go on from the one before"
        assert verify_hash(value), f"{case_id}: the hash of version {version} is not that of its words"
        known.append(value)
        previous = event["hash"]


async def _check_lots(system: System) -> None:
    connection = await asyncpg.connect(system.postgres)
    parked = {
        name: await connection.fetchval(f"SELECT count(*) FROM {name}.parked")  # noqa: S608 - our own five names
        for name in SERVICES
    }
    await connection.close()
    assert parked == dict.fromkeys(SERVICES, 0)


def _check_audit(done: "subprocess.CompletedProcess[str]", cases: int) -> None:
    """Check that the auditor, too, finds an ending for every copy of every event, and every chain whole."""
    told = json.loads(done.stdout)
    assert (done.returncode, told["proven"], told["findings"]) == (0, True, []), done.stdout[:2000]
    assert told["cases"] == cases
    assert (told["channel_events"]["total"], told["channel_events"]["duplicate"]) == (EVENTS, REPEATED)


async def _check_provider(system: System, cases: int) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        answer = (await client.get(f"{system.sms}/messages")).json()
    messages = answer["messages"] if isinstance(answer, dict) else answer
    milestones = [each["client_reference"] for each in messages if each["text"].startswith("The fix for case")]
    assert len(messages) == len({each["client_reference"] for each in messages})
    assert len(milestones) == len(set(milestones)) == cases, json.dumps(messages[:2])
