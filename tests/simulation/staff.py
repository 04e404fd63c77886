"""What do agents do all day? They come, take offers or not, work on cases, promise, forget, resolve, and go home."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts.channel import AgentPresenceChanged, AgentProfileSet, Capacity
from contracts.desk import (
    AcceptOffer,
    Command,
    DeclineOffer,
    Escalate,
    KeepPromise,
    MakePromise,
    MovePromise,
    OpenWorkOrder,
    ProposeSolution,
    ReachMilestone,
    RecordProgress,
    RequestInformation,
    Resolve,
    ScheduleCallback,
    Transfer,
    TransferTarget,
)
from contracts.message import Message, derived_id
from contracts.router import CaseAssigned, CaseOffered, PromiseMade
from contracts.values import Actor, Presence, Role, SolutionOption
from tests.simulation.outside import Outside
from tests.simulation.plot import WORKDAYS, Plot
from tests.simulation.world import World
from tests.support.driver import DEPARTMENTS


@dataclass(slots=True)
class Staff:
    """All agents of one run."""

    world: World
    outside: Outside
    plot: Plot
    roles: dict[str, Role] = field(default_factory=dict)
    steps_left: dict[UUID, int] = field(default_factory=dict)
    commands: int = 0

    def hire(self) -> None:
        """Let one or two agents per department come and go, and a supervisor."""
        for department in DEPARTMENTS:
            for number in range(self.world.chance.randint(1, 2)):
                self._hire(f"{department}-{number}", department, "agent")
            self._hire(f"{department}-chief", department, "supervisor")

    def hear(self, message: Message) -> None:
        """React to what the journal says."""
        match message:
            case CaseOffered():
                self._answer(message)
            case CaseAssigned():
                self.steps_left.setdefault(message.case_id, self.world.chance.randint(0, 4))
                self._work_later(message.case_id, message.agent_id)
            case PromiseMade():
                self._remember_promise(message)
            case _:
                pass

    def _hire(self, agent_id: str, department: str, role: Role) -> None:
        chance = self.world.chance
        self.roles[agent_id] = role
        profile = AgentProfileSet(
            agent_id=agent_id,
            number=f"{len(self.roles):04}",
            name=agent_id,
            role=role,
            department=department,
            languages=("en", "zh-CN"),
            capacity=Capacity(total=chance.randint(1, 4), phone=1, chat=2, email=2, social=2, sms=2),
            auto_accept=chance.random() < 0.2,
            time_zone="Asia/Shanghai",
        )
        self.world.after(chance.uniform(0, 60), lambda: self._say(profile))
        for begin, end in WORKDAYS:
            self._present(agent_id, begin + chance.uniform(-0.2, 0.25), "available")
            self._present(agent_id, begin + chance.uniform(1, 4), chance.choice(("busy", "away", "offline")))
            self._present(agent_id, begin + chance.uniform(4, 5), "available")
            self._present(agent_id, end + chance.uniform(-0.2, 1), "offline")

    def _present(self, agent_id: str, hour: float, presence: Presence) -> None:
        """Plan a change of presence; those before the run began come at its beginning, in their order."""
        message = AgentPresenceChanged(agent_id=agent_id, presence=presence)
        second = self.plot.second(hour)
        self.world.at(second if second > 0 else 100.0 + hour, lambda: self._say(message))

    def _answer(self, offer: CaseOffered) -> None:
        chance = self.world.chance
        drawn = chance.random()
        given: dict[str, Any] = {"case_id": offer.case_id, "by": self._by(offer.agent_id), "agent_id": offer.agent_id}
        accept = AcceptOffer(offer_id=offer.offer_id, **given)
        if drawn < 0.75:
            self._later(chance.choice((1.0, 5.0, 15.0, 19.99, 20.0, 20.01)), lambda: accept)
        elif drawn < 0.85:
            self._later(chance.uniform(1, 15), lambda: DeclineOffer(offer_id=offer.offer_id, **given))

    def _work_later(self, case_id: UUID, agent_id: str) -> None:
        self._later(self.world.chance.uniform(20, 2400), lambda: self._step(case_id, agent_id))

    def _step(self, case_id: UUID, agent_id: str) -> Command:
        chance, by = self.world.chance, self._by(agent_id)
        left = self.steps_left.get(case_id, 0)
        self.steps_left[case_id] = left - 1
        if left <= 0:
            return Resolve(case_id=case_id, by=by, resolution="it was repaired")
        step = chance.choice(STEPS)(self, case_id, by)
        if not isinstance(step, Transfer | Escalate):
            self._work_later(case_id, agent_id)
        return step

    def _remember_promise(self, promise: PromiseMade) -> None:
        chance = self.world.chance
        drawn = chance.random()
        left = (promise.due_at - self.world.now()).total_seconds()
        ids: dict[str, Any] = {"case_id": promise.case_id, "by": promise.by, "promise_id": promise.promise_id}
        just_before = max(left - chance.uniform(0.0, 0.5), 0.0)
        moment = chance.choice((left * 0.3, left * 0.8, just_before, just_before, left))
        if drawn < 0.4:
            self._later(moment, lambda: KeepPromise(**ids))
        elif drawn < 0.75:
            due_at = promise.due_at + timedelta(hours=chance.choice((1, 4, 30)))
            self._later(moment, lambda: MovePromise(due_at=due_at, reason="a part is missing", **ids))

    def _by(self, agent_id: str) -> Actor:
        return Actor(kind=self.roles.get(agent_id, "agent"), id=agent_id)

    def _later(self, seconds: float, command: Callable[[], Command]) -> None:
        self.world.after(seconds, lambda: self._say(command()))

    def _say(self, message: Message) -> None:
        self.commands += 1
        self.outside.say(message, f"staff-{self.commands}")

    # The steps of work.

    def promise(self, case_id: UUID, by: Actor) -> Command:
        """Promise a time."""
        due_at = self.world.now() + timedelta(seconds=self.world.chance.choice((600, 3600, 4 * 3600, 20 * 3600)))
        promise_id = derived_id("promise", case_id, self.commands)
        return MakePromise(case_id=case_id, by=by, promise_id=promise_id, what="an answer", due_at=due_at)

    def milestone(self, case_id: UUID, by: Actor) -> Command:
        """Reach something worth telling."""
        name = self.world.chance.choice(("fix_deployed", "refund_issued"))
        return ReachMilestone(case_id=case_id, by=by, milestone=name)

    def progress(self, case_id: UUID, by: Actor) -> Command:
        """Do something."""
        return RecordProgress(case_id=case_id, by=by, step="analysis", action="looked", told_customer="we are at it")

    def ask(self, case_id: UUID, by: Actor) -> Command:
        """Wait for the customer."""
        return RequestInformation(case_id=case_id, by=by, fields=("order_no",), text="which order is it?")

    def call_back(self, case_id: UUID, by: Actor) -> Command:
        """Promise a call."""
        at = self.world.now() + timedelta(hours=self.world.chance.choice((1, 3, 15)))
        return ScheduleCallback(case_id=case_id, by=by, purpose="requested", at=at)

    def propose(self, case_id: UUID, by: Actor) -> Command:
        """Offer a way out."""
        option = SolutionOption(option_id="a", title="replace it", steps=("send", "receive"), duration_seconds=3600)
        return ProposeSolution(case_id=case_id, by=by, options=(option,))

    def order_work(self, case_id: UUID, by: Actor) -> Command:
        """Ask another department."""
        return OpenWorkOrder(
            case_id=case_id, by=by, department="operations", responsible="operations-0", nodes=("check",)
        )

    def pass_on(self, case_id: UUID, by: Actor) -> Command:
        """Pass the case on."""
        to = TransferTarget(department=self.world.chance.choice(DEPARTMENTS))
        return Transfer(case_id=case_id, by=by, to=to, customer_agreed=True, reason="they know more")

    def escalate(self, case_id: UUID, by: Actor) -> Command:
        """Call the supervisor."""
        return Escalate(case_id=case_id, by=by, reason="beyond my authority")


STEPS: tuple[Callable[[Staff, UUID, Actor], Command], ...] = (
    Staff.promise,
    Staff.promise,
    Staff.milestone,
    Staff.milestone,
    Staff.progress,
    Staff.ask,
    Staff.call_back,
    Staff.propose,
    Staff.order_work,
    Staff.pass_on,
    Staff.escalate,
)
