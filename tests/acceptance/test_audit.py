"""Does an audit of a running system take nothing that is on its way for lost, and does a repair reach the service?"""

import asyncio
import json
from typing import Any

import asyncpg

from tests.support.driver import Driver
from tests.support.floor import until
from tests.support.system import System

CASES = 60
DEADLINE_SECONDS = 90.0

TIMED = """
SELECT timers.timer_id FROM followup.timers JOIN desk.clocks ON clocks.case_id = timers.timer_id
WHERE clocks.state = 'running' AND timers.due_at > now() + interval '3 seconds' LIMIT 1
"""
LOSE = "DELETE FROM followup.timers WHERE timer_id = $1"
SET_ANEW = "SELECT timer_id FROM followup.timers WHERE timer_id = $1 AND due_at > now()"
KEPT = "SELECT count(*) FROM followup.repairs"


async def _audit(system: System, *options: str) -> dict[str, Any]:
    done = await asyncio.to_thread(system.cli, "audit", "--json", *options, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def _found(connection: "asyncpg.Connection[asyncpg.Record]", question: str, *asked: object) -> object:
    """Return the answer to a question as soon as there is one."""
    found: list[object] = []

    async def answered() -> bool:
        found[:] = [await connection.fetchval(question, *asked)]
        return found[0] is not None

    await until(answered, DEADLINE_SECONDS)
    return found[0]


async def test_an_audit_under_load_finds_nothing(system: System) -> None:
    driver = Driver(system.kafka, "audited")
    await driver.start()
    await driver.agents(2, ["technical_support", "front_desk"])
    audits = 0
    try:
        for _ in range(CASES):
            await driver.contact(copies=2)
        while driver.closed < CASES or not audits:
            told = await _audit(system)
            assert told["findings"] == []
            audits += 1
    finally:
        await driver.stop()
    assert (await _audit(system))["channel_events"]["duplicate"] >= CASES


async def test_a_lost_timer_is_set_anew_and_its_service_takes_over(system: System) -> None:
    words = ("--text", "ERR-500, I cannot log in", "--from", "phone:+8613700005678")
    await asyncio.to_thread(system.cli, "send", "sms", *words)
    connection = await asyncpg.connect(system.postgres)
    case_id = await _found(connection, TIMED)
    await connection.execute(LOSE, case_id)

    told = await _audit(system, "--repair", "--yes")

    assert [found["case_id"] for found in told["findings"] if found["check"] == "timer"] == [str(case_id)]
    assert [repaired["outcome"] for repaired in told["repairs"]] == ["done"]
    assert await _found(connection, SET_ANEW, case_id) == case_id
    assert await connection.fetchval(KEPT) == 1
    assert (await _audit(system))["findings"] == []
    await connection.close()
