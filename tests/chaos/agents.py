"""Row 54: what when agents accept in the moment in which the offer runs out, twice, or go home with their work?"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from tests.chaos.registry import row
from tests.chaos.rig import Rig
from tests.support.driver import Driver
from tests.support.history import History

DEPARTMENT = "complaint_desk"
AGENTS = 6
CAPACITY = 3
CASES = 60
SECONDS = 60.0
COMPLAINT = (
    "I want to file a formal complaint: your agent was rude to me on the phone and hung up, the service is awful"
)
LOADS = """
SELECT agents.agent_id, phone + agents.chat + email + social + sms AS load, coalesce(sum(cases.units), 0) AS held
FROM agents LEFT JOIN cases ON cases.holder = agents.agent_id
GROUP BY agents.agent_id
"""


@dataclass(slots=True)
class Desk:
    """Agents who decide late, twice or not at all."""

    rig: Rig
    driver: Driver
    answers: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def heard(self, kind: str, case_id: str, value: bytes) -> None:
        """Answer an offer in a way that the seed decides."""
        if kind == "offered":
            answer = asyncio.ensure_future(self._answer(case_id, orjson.loads(value)))
            self.answers.add(answer)
            answer.add_done_callback(self.answers.discard)

    async def _answer(self, case_id: str, offer: "dict[str, str]") -> None:
        left = (datetime.fromisoformat(offer["expires_at"]) - datetime.now(UTC)).total_seconds()
        choice = self.rig.dice.random()
        if choice < 0.4:
            await self.rig.wait(max(0.0, left + self.rig.between(-0.1, 0.1)))
            await self._accept(case_id, offer)
        elif choice < 0.7:
            await asyncio.gather(
                *(self._accept(case_id, offer) for _ in range(2)), self._accept(case_id, offer, "race-0")
            )
        elif choice < 0.9:
            await self._accept(case_id, offer)
            await self.presence(offer["agent_id"], "offline")
            await self.rig.wait(0.3)
            await self.presence(offer["agent_id"], "available")

    async def _accept(self, case_id: str, offer: "dict[str, str]", agent: str = "") -> None:
        whose = agent or offer["agent_id"]
        await self.driver.command("accept_offer", case_id, offer_id=offer["offer_id"], agent_id=whose)

    async def presence(self, agent: str, presence: str) -> None:
        """Say where an agent is."""
        data = {"agent_id": agent, "presence": presence}
        await self.driver.send("agents", agent, "caseloop.agent.presence_changed.v1", data)


@row(
    "54",
    "offers are accepted as they run out, twice, by others; agents go offline with work",
    policy="demo",
    departments=("front_desk", "technical_support", "operations", "after_sales_desk"),
)
async def offers_race(rig: Rig) -> None:
    async with rig.another_driver() as driver, asyncio.TaskGroup() as group:
        desk = Desk(rig, driver)
        driver.heard = desk.heard
        watching = group.create_task(_watch_loads(rig))
        await _agents(driver)
        for _ in range(CASES):
            await driver.contact(text=COMPLAINT)
        await rig.wait(14.0)
        driver.heard = None
        await asyncio.gather(*desk.answers, return_exceptions=True)
        await rig.wait(4.0)
        watching.cancel()
    rig.must(lambda history, _: _count(rig, history))


async def _watch_loads(rig: Rig) -> None:
    """Whoever looks, whenever: an agent's load is that of the cases in hand, and never beyond the capacity (I7)."""
    async with rig.database("router") as database:
        while True:
            for row_ in await database.fetch(LOADS):
                agent, load, held = row_["agent_id"], row_["load"], row_["held"]
                if load != held or (agent.startswith("race-") and load > CAPACITY):
                    _accuse(rig, agent, f"its load is {load}, its cases make {held}")
            await rig.wait(0.1)


def _accuse(rig: Rig, agent: str, problem: str) -> None:
    rig.must(lambda _, verdict: verdict.add("doubled", agent, problem))


def _count(rig: Rig, history: History) -> None:
    kinds = Counter(record.kind.split(".")[2] for record in history.on("case.events"))
    outcomes = Counter(
        str(record.data.get("outcome")) for record in history.on("case.events") if "offer_id" in record.data
    )
    rig.figures |= {"offers": kinds["offered"], "expired": outcomes["expired"], "refused": kinds["command_rejected"]}


async def _agents(driver: Driver) -> None:
    for number in range(AGENTS):
        agent = f"race-{number}"
        await driver.send(
            "agents",
            agent,
            "caseloop.agent.profile_set.v1",
            {
                "agent_id": agent, "number": f"9{number:03}", "name": agent, "role": "agent", "department": DEPARTMENT,
                "languages": ["en"], "capacity": {"total": CAPACITY, "chat": CAPACITY}, "time_zone": "UTC",
            },
        )  # fmt: skip
        await driver.send(
            "agents", agent, "caseloop.agent.presence_changed.v1", {"agent_id": agent, "presence": "available"}
        )
