"""Who plays: which agents come to work, which customers write, and who picks up the phone?"""

import asyncio
import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

from contracts.channel import AgentPresenceChanged, AgentProfileSet, CallReported, Capacity
from contracts.desk import AcceptOffer
from contracts.message import Message, derived_id
from contracts.notify import OutboundCallRequested
from contracts.router import CaseOffered
from contracts.values import Actor, CallOutcome, Party
from services.cli.demo.stage import Stage

DATA = Path(__file__).with_name("data")
_CAPACITY = Capacity(total=100, phone=100, chat=100, email=100, social=100, sms=100)
SILENT = "demo-ming"
"""An agent who lets every offer expire, in a department to which no case comes: asked only by name."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer out of the retail data, with a telephone number of our own making."""

    name: str
    order: str
    phone: Party
    mail: Party


def person(run: str, place: int) -> Person:
    """Return one customer; number and address are of this performance alone, so that it can be played again."""
    row = json.loads((DATA / "customers.json").read_text(encoding="utf-8"))[place]
    digits = derived_id("demo-phone", run, place).int % 10**8
    local, _, domain = row["email"].partition("@")
    mail = f"{local}+{run}@{domain}"
    return Person(
        row["name"],
        row["orders"][0] if row["orders"] else "",
        Party(kind="phone", value=f"+86138{digits:08}"),
        Party(kind="email", value=mail),
    )


def question(category: str, place: int = 0) -> str:
    """Return a question customers really asked."""
    with (DATA / "questions.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file) if row["category"] == category][place]


def sample() -> dict[str, list[dict[str, str]]]:
    """Return the sample rows of Tables 1 to 3."""
    rows: dict[str, list[dict[str, str]]] = json.loads((DATA / "seed_sample.json").read_text(encoding="utf-8"))
    return rows


def _agents() -> list[AgentProfileSet]:
    def come(
        agent_id: str, number: str, name: str, department: str, *, boss: bool = False, auto: bool = True
    ) -> AgentProfileSet:
        return AgentProfileSet(
            agent_id=agent_id,
            number=number,
            name=name,
            role="supervisor" if boss else "agent",
            department=department,
            skills={},
            languages=("en", "zh-CN"),
            capacity=_CAPACITY,
            auto_accept=auto,
            time_zone="Asia/Shanghai",
        )

    return [
        come(SILENT, "1005", "Ming Zhao", "back_office", auto=False),
        come("demo-li", "1001", "Li Wei", "technical_support"),
        come("demo-ada", "1002", "Ada King", "front_desk"),
        come("demo-noor", "1003", "Noor Haddad", "after_sales_desk"),
        come("demo-jo", "1004", "Jo Becker", "complaint_desk"),
        come("demo-ana", "1006", "Ana Souza", "operations", auto=False),
        come("demo-chief-c", "1007", "Chen Hua", "complaint_desk", boss=True),
        come("demo-chief-t", "1008", "Tara Singh", "technical_support", boss=True),
        come("demo-chief-f", "1009", "Frida Lund", "front_desk", boss=True),
    ]


async def come_to_work(stage: Stage) -> None:
    """Publish profiles and presence of all agents."""
    for profile in _agents():
        await stage.publish(profile)
        await stage.publish(AgentPresenceChanged(agent_id=profile.agent_id, presence="available"))


async def go_home(stage: Stage) -> None:
    """Publish that all agents left, so that a later visitor's cases are not given to them."""
    for profile in _agents():
        await stage.publish(AgentPresenceChanged(agent_id=profile.agent_id, presence="offline"))


@dataclass(slots=True)
class Hands:
    """What people and exchanges do without being told by a scenario: accept offers, pick up or not when called."""

    stage: Stage
    group: asyncio.TaskGroup
    outcomes: dict[str, list[CallOutcome]] = field(default_factory=dict)
    """By telephone number: how the next calls end; afterwards they are answered."""
    unsolved: set[str] = field(default_factory=set)
    """Telephone numbers whose owners say that it is not solved, once."""

    def hear(self, message: Message) -> None:
        """React to one message."""
        match message:
            case CaseOffered() if message.agent_id != SILENT:
                accept = AcceptOffer(
                    case_id=message.case_id,
                    by=Actor(kind="agent", id=message.agent_id),
                    offer_id=message.offer_id,
                    agent_id=message.agent_id,
                )
                self.group.create_task(self.stage.publish(accept))
            case OutboundCallRequested():
                self.group.create_task(self.stage.publish(self._report(message)))
            case _:
                pass

    def _report(self, call: OutboundCallRequested) -> CallReported:
        phone = call.to.value
        ladder = self.outcomes.get(phone, [])
        outcome: CallOutcome = ladder.pop(0) if ladder else "answered"
        solved = phone not in self.unsolved if outcome == "answered" else None
        if outcome == "answered":
            self.unsolved.discard(phone)
        return CallReported(
            callback_id=call.callback_id,
            attempt=call.attempt,
            outcome=outcome,
            solved=solved,
            at=self.stage.now(),
            duration_seconds=40 if outcome == "answered" else 0,
            text="all fine now, thank you" if solved else None,
        )
