"""What do the router's tests begin with: policy, customers, contacts, demands, agents, occasions?"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from contracts.channel import AgentPresenceChanged, AgentProfileSet, Capacity
from contracts.desk import Command
from contracts.intake import ContactReceived, ProposedDemand
from contracts.message import Message, derived_id
from contracts.policy import Policy, load_policy
from contracts.values import (
    Actor,
    Cause,
    Channel,
    Classification,
    Contact,
    Customer,
    Demand,
    History,
    Party,
    Presence,
    Role,
    Severity,
)
from services.router.domain.agents import Agent
from services.router.domain.case import Case
from services.router.domain.journal import Decision, Occasion, View
from services.router.domain.opening import Opening, open_case
from services.runtime.work import Received

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
AGENT = Actor(kind="agent", id="a-1")
NOBODY = View()
C = TypeVar("C", bound=Command)


@cache
def the_policy() -> Policy:
    """Return the shipped pack."""
    return load_policy(Path(__file__).parents[3] / "deploy" / "policies" / "standard.toml")


def later(seconds: float) -> datetime:
    """Return the moment so many seconds after the beginning."""
    return NOW + timedelta(seconds=seconds)


def an_occasion(
    name: object = "cause",
    now: datetime = NOW,
    by: Actor = AGENT,
    policy: Policy | None = None,
) -> Occasion:
    """Return an occasion of its own for each name."""
    cause_id = derived_id("test", name)
    return Occasion(Cause(id=str(cause_id), type="caseloop.test.v1"), cause_id, by, now, policy or the_policy())


def a_customer(name: str = "zhang", **others: object) -> Customer:
    """Return a customer with a telephone."""
    fields = {
        "customer_id": derived_id("customer", name),
        "parties": (Party(kind="phone", value="+8613800005678"),),
        "language": "zh-CN",
    }
    return Customer.model_validate(fields | others)


def a_contact(name: str = "first", channel: Channel = "chat") -> Contact:
    """Return a contact of its own for each name."""
    return Contact(
        contact_id=derived_id("contact", name),
        conversation_id=f"{channel}-{name}",
        channel=channel,
        received_at=NOW,
    )


def a_classification(severity: Severity = "normal", **others: object) -> Classification:
    """Return a question about a product."""
    fields = {
        "scenario": "problem",
        "category": "product_fault",
        "severity": severity,
        "importance": "routine",
        "quadrant": "urgent" if severity == "urgent" else "routine",
        "emotion": "calm",
        "safety": False,
    }
    return Classification.model_validate(fields | others)


def a_demand(name: str = "first", department: str = "technical_support", **others: object) -> Demand:
    """Return a demand of its own for each name."""
    fields = {
        "demand_id": derived_id("demand", name),
        "text": "the page stays white",
        "position": 1,
        "classification": a_classification(),
        "department": department,
    }
    return Demand.model_validate(fields | others)


def case_id_of(name: str = "first") -> UUID:
    """Return the case that this demand becomes."""
    return derived_id("case", derived_id("demand", name))


def proposed(name: str = "first", **others: object) -> ProposedDemand:
    """Return a demand that opens a case."""
    return ProposedDemand(demand=a_demand(name, **others), case_id=case_id_of(name), relation="opens")  # type: ignore[arg-type]  # values of the literal


def words(name: str = "first", channel: Channel = "chat", **others: object) -> ContactReceived:
    """Return a customer's words, understood."""
    fields = {
        "contact": a_contact(name, channel),
        "customer": a_customer(),
        "occurred_at": NOW,
        "policy": the_policy().ref,
        "cause": Cause(id=name, type="caseloop.channel.message_received.v1"),
        "author": "customer",
        "text": "it is broken",
    }
    return ContactReceived.model_validate(fields | others)


def opened(name: str = "first", channel: Channel = "chat", now: datetime = NOW, **demand: object) -> Decision:
    """Return the opening of a case."""
    opening = Opening(
        case_id_of(name),
        a_customer(),
        a_contact(name, channel),
        History(),
        a_demand(name, **demand),  # type: ignore[arg-type]  # values of the literal
    )
    return open_case(opening, an_occasion(("open", name), now), NOBODY)


def a_case(name: str = "first", **changes: object) -> Case:
    """Return an opened case with these fields changed."""
    return opened(name).case.model_copy(update=changes)


def a_profile(
    agent_id: str = "a-1",
    *,
    auto_accept: bool = False,
    role: Role = "agent",
    **others: object,
) -> AgentProfileSet:
    """Return an agent's profile."""
    fields = {
        "agent_id": agent_id,
        "number": f"10{agent_id[2:]}",
        "name": f"Agent {agent_id}",
        "role": role,
        "department": "technical_support",
        "capacity": Capacity(total=3, phone=1, chat=2, email=3, social=2, sms=3),
        "auto_accept": auto_accept,
    }
    return AgentProfileSet.model_validate(fields | others)


def an_agent(agent_id: str = "a-1", presence: Presence = "available", idle: float = 60, **profile: object) -> Agent:
    """Return an agent who is there, idle for so many seconds."""
    return Agent(agent_id, a_profile(agent_id, **profile), presence, NOW - timedelta(seconds=idle))  # type: ignore[arg-type]  # values of the literal


def command(kind: type[C], case_id: UUID | None = None, **fields: object) -> C:
    """Return a command of an agent about the first case, or another."""
    return kind.model_validate({"case_id": case_id or case_id_of(), "by": AGENT, **fields})


def presence(agent_id: str, state: Presence) -> AgentPresenceChanged:
    """Return the message that an agent comes or goes."""
    return AgentPresenceChanged(agent_id=agent_id, presence=state)


def received(message: Message, name: object = "") -> Received:
    """Return the message as the runtime hands it over."""
    message_id = derived_id("received", repr(message), name)
    return Received(
        message=message,
        message_id=message_id,
        ce_id=str(message_id),
        source="test",
        type=message.type,
        time=NOW,
        traceparent=None,
        topic=message.topic_name(),
        partition=0,
        offset=0,
        key=message.key(),
    )


def types_of(decisions: Sequence[Decision] | Decision) -> list[str]:
    """Return the names of what was told, in order."""
    chain = [decisions] if isinstance(decisions, Decision) else list(decisions)
    return [entry.event.type.split(".")[2] for decision in chain for entry in decision.entries]
