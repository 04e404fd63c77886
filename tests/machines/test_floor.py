"""Do load, offers and chains hold in every order of messages, rounds and time (I5, I7, I9)?

A machine plays commands, presence, rounds and expiries in any order on the production decisions and checks after each
step what must never be otherwise.
"""

from collections import Counter
from datetime import timedelta
from math import ceil
from uuid import UUID

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import desk
from contracts.channel import Capacity
from contracts.message import derived_id
from contracts.router import CaseAssigned, CaseOffered, CaseOfferEnded, verify_hash
from contracts.router.event import ZERO_HASH
from services.router.domain.agents import Agent, burden, loaded, present
from services.router.domain.case import HELD, Case
from services.router.domain.commands import decide_command
from services.router.domain.contacts import Unknown, received
from services.router.domain.journal import Decision, Entry, Occasion, View
from services.router.domain.matching import match, waiting
from services.router.domain.offering import Pick, end_offer, give, release, withdraw
from tests.machines.depth import depth
from tests.unit.router.given import NOW, a_profile, an_occasion, command, opened, the_policy, words

POLICY = the_policy()
AGENTS = ("a-1", "a-2", "a-3")
PLACES = Capacity(total=2, phone=1, chat=2, email=1)


def holder(case: Case) -> str | None:
    """Return who is asked about the case or works on it."""
    if case.state == "offered":
        assert case.offer is not None
        return case.offer.agent_id
    assert case.offer is None, "an offer is out in no other state"
    return case.agent_id if case.state in ("assigned", "waiting_customer", "waiting_department") else None


def taken(case: Case) -> tuple[str | None, str, int]:
    """Return by whom, on which channel and how much is taken."""
    capacity, channel = POLICY.routing.capacity, case.held_channel or case.contact.channel
    share = capacity.waiting_customer_percent if case.state == "waiting_customer" else 100
    return holder(case), channel, ceil(capacity.units[channel] * share / 100)


class Floor(RuleBasedStateMachine):
    """Three agents, a handful of cases, anything may happen."""

    def __init__(self) -> None:
        """Begin with agents who are there and no case."""
        super().__init__()
        self.now = NOW
        self.steps = 0
        self.cases: dict[UUID, Case] = {}
        self.told: dict[UUID, list[Entry]] = {}
        self.agents = {
            agent_id: Agent(agent_id, a_profile(agent_id, capacity=PLACES, auto_accept=auto_accept), "available", NOW)
            for agent_id, auto_accept in zip(AGENTS, (False, False, True), strict=True)
        }

    def occasion(self) -> Occasion:
        """Return why the next thing happens."""
        self.steps += 1
        return an_occasion(self.steps, self.now)

    def keep(self, decision: Decision) -> None:
        """Take a decision with what it does to loads."""
        after = decision.case
        before = self.cases.get(after.case_id)
        self.cases[after.case_id] = after
        self.told.setdefault(after.case_id, []).extend(decision.entries)
        had = burden(before, POLICY.routing.capacity) if before else None
        has = burden(after, POLICY.routing.capacity)
        if had != has:
            for change, sign in ((had, -1), (has, 1)):
                if change is not None:
                    agent = self.agents[change.agent_id]
                    self.agents[agent.agent_id] = loaded(agent, change, sign, self.now)
        for other in decision.others:
            self.keep(other)

    @rule(channel=st.sampled_from(["phone", "chat", "email"]))
    def a_case_opens(self, channel: str) -> None:
        """A demand arrives."""
        if len(self.cases) < 6:
            self.keep(opened(f"case {len(self.cases)}", channel, self.now))  # type: ignore[arg-type]  # values of the literal

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        """The clock goes on, and offers run out."""
        self.now += timedelta(seconds=seconds)
        for case in list(self.cases.values()):
            if case.offer is not None and case.offer.expires_at <= self.now:
                late = case.offer.agent_id
                self.keep(end_offer(case, "expired", self.occasion()))
                self.agents[late] = present(self.agents[late], "away", self.now)

    @rule()
    def a_round_is_run(self) -> None:
        """The matcher looks."""
        queue = [
            waiting(case, case.priority.value, POLICY.routing) for case in self.cases.values() if case.state == "queued"
        ]
        for found in match(queue, list(self.agents.values()), self.now, POLICY.routing):
            profile = self.agents[found.agent_id].profile
            assert profile is not None
            self.keep(give(self.cases[found.waiting.case_id], Pick(profile, found.decision), self.occasion()))

    @rule(agent_id=st.sampled_from(AGENTS), presence=st.sampled_from(["available", "busy", "away", "offline"]))
    def an_agent_comes_or_goes(self, agent_id: str, presence: str) -> None:
        """Presence changes, with what the handler does then."""
        self.agents[agent_id] = present(self.agents[agent_id], presence, self.now)  # type: ignore[arg-type]  # values of the literal
        for case in list(self.cases.values()):
            if presence in {"away", "offline"} and case.offer is not None and case.offer.agent_id == agent_id:
                self.keep(withdraw(case, self.occasion(), "gone"))
            elif presence == "offline" and case.state in HELD and case.agent_id == agent_id:
                self.keep(release(case, "agent_offline", self.occasion()))

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), channel=st.sampled_from(["phone", "chat", "email"]))
    def the_customer_writes_again(self, data: st.DataObject, channel: str) -> None:
        """More words, perhaps on another channel."""
        case_id = data.draw(st.sampled_from(sorted(self.cases, key=str)))
        more = words(f"more {self.steps}", channel, joins=(case_id,))  # type: ignore[arg-type]  # values of the literal
        outcome = received(more, self.occasion(), View(self.cases))
        assert not isinstance(outcome, Unknown)
        for decision in outcome:
            self.keep(decision)

    @precondition(lambda self: self.cases)
    @rule(data=st.data())
    def somebody_commands(self, data: st.DataObject) -> None:
        """Any command about any case, sensible or not."""
        case = data.draw(st.sampled_from(sorted(self.cases.values(), key=lambda case: str(case.case_id))))
        agent_id = data.draw(st.sampled_from(AGENTS))
        offer_id = case.offer.offer_id if case.offer else derived_id("no offer")
        other = data.draw(st.sampled_from(sorted(self.cases, key=str)))
        request = data.draw(
            st.sampled_from(
                [
                    command(desk.AcceptOffer, case.case_id, offer_id=offer_id, agent_id=agent_id),
                    command(desk.DeclineOffer, case.case_id, offer_id=offer_id, agent_id=agent_id),
                    command(desk.RequestInformation, case.case_id, fields=("order_no",)),
                    command(desk.Transfer, case.case_id, to={"agent_id": agent_id}, customer_agreed=True, reason="r"),
                    command(desk.Escalate, case.case_id, reason="r"),
                    command(desk.RequestRelief, case.case_id, reason="r"),
                    command(desk.OpenWorkOrder, case.case_id, department="operations", responsible="w", nodes=("n",)),
                    command(desk.Resolve, case.case_id, resolution="r"),
                    command(desk.ConfirmResolution, case.case_id, solved=data.draw(st.booleans())),
                    command(desk.Reopen, case.case_id, reason="r"),
                    command(desk.MarkSpam, case.case_id, reason="r"),
                    command(desk.Merge, case.case_id, into_case_id=other, reason="r"),
                    command(desk.CorrectClassification, case.case_id, category="order", reason="r"),
                ]
            )
        )
        profiles = {agent_id: agent.profile for agent_id, agent in self.agents.items() if agent.profile}
        self.keep(decide_command(case, request, self.occasion(), View(self.cases, profiles)))

    @invariant()
    def nobody_holds_more_than_the_capacity(self) -> None:
        """I7, and the agents' loads are what their cases take, counted without the burdens of production."""
        burdens = [taken(case) for case in self.cases.values() if holder(case) is not None]
        for agent_id, agent in self.agents.items():
            by_cases: Counter[str] = Counter()
            for holding, channel, units in burdens:
                if holding == agent_id:
                    by_cases[channel] += units
            assert {channel: units for channel, units in agent.load.items() if units} == dict(by_cases)
            assert sum(agent.load.values()) <= PLACES.total
            assert all(units <= getattr(PLACES, channel) for channel, units in agent.load.items())

    @invariant()
    def every_offer_has_one_end(self) -> None:
        """I7: accepted, declined, expired or withdrawn, exactly once; open ones are those on the cases."""
        for case_id, told in self.told.items():
            events = [entry.event for entry in told]
            made = [event.offer_id for event in events if isinstance(event, CaseOffered)]
            ends = [event.offer_id for event in events if isinstance(event, CaseOfferEnded)]
            ends += [event.offer_id for event in events if isinstance(event, CaseAssigned) and event.offer_id]
            offer = self.cases[case_id].offer
            assert len(set(made)) == len(made)
            assert sorted(ends + ([offer.offer_id] if offer else []), key=str) == sorted(made, key=str)

    @invariant()
    def every_chain_is_gapless(self) -> None:
        """I5, I9: versions 1, 2, 3 ..., each hash that of its data, each linked to the one before."""
        for case_id, told in self.told.items():
            previous = ZERO_HASH
            for version, entry in enumerate(told, start=1):
                data = orjson.loads(entry.value)
                assert (data["version"], data["previous_hash"]) == (version, previous)
                previous = data["hash"]
            assert verify_hash(told[-1].value)
            assert (self.cases[case_id].version, self.cases[case_id].hash) == (len(told), previous)


Floor.TestCase.settings = depth()
TestFloor = Floor.TestCase
