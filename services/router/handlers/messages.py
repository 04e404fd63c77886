"""What does a batch of messages do to the cases and agents it is about, and who is given what waits then?

One statement loads the cases, the rest is decided in memory, one statement each saves cases and agents. Locks are taken
in one order, here as in a round of matching: cases, then agents, then timers. A round in the same transaction waits for
no lock (ADR 0016), but for a rival that has just opened the same case (ADR 0020).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache, partial
from uuid import UUID

from contracts import desk
from contracts.channel import AgentPresenceChanged, AgentProfileSet
from contracts.followup import Followup
from contracts.intake import ContactCallbackRequested, ContactReceived
from contracts.notify import Notification
from contracts.policy import Policy
from contracts.values import Actor
from services.router.bell import Bell
from services.router.domain import contacts, opening
from services.router.domain.agents import Agent, present
from services.router.domain.case import Case
from services.router.domain.commands import decide_command
from services.router.domain.contacts import Unknown
from services.router.domain.journal import SYSTEM, Decision, Occasion, View, rejected_unknown
from services.router.domain.offering import end_offer, release, withdraw
from services.router.domain.reports import decide_report
from services.router.handlers.book import OFFER_EXPIRES, Book
from services.router.handlers.rounds import match_at_once
from services.router.storage import agents as agents_table
from services.router.storage import cases as cases_table
from services.router.storage.agents import Everybody
from services.runtime.errors import TransientError
from services.runtime.work import Handler, Outgoing, Received, TimerFired, Work

Contact = ContactReceived | ContactCallbackRequested
AgentMessage = AgentProfileSet | AgentPresenceChanged
GONE = frozenset({"away", "offline"})
"""An agent like this is asked for nothing."""
MERGES_MAX = 8
"""How many merges in a row are followed to the case that goes on."""


def handler(policy: Policy, bell: Bell, agents: Everybody | None = None) -> Handler:
    """Return the router's handler under this policy.

    The queues that it touches are matched at once with these agents, if it is given them; it rings for what is left.
    """

    async def handle(work: Work) -> list[Outgoing]:
        batch = _Batch(work, policy)
        said = await batch.settled(round_follows=agents is not None)
        left: AbstractSet[str] = batch.book.queues
        if agents is not None and left:
            matched, left = await match_at_once(work.connection, batch.book, agents)
            said += matched
        work.after_commit.append(partial(bell.ring, left))
        return said

    return handle


class _Batch:
    """One transaction's worth of messages."""

    def __init__(self, work: Work, policy: Policy) -> None:
        self.work = work
        self.policy = policy
        self.book = Book(policy, work.now, {})
        self._view = View()
        self._late: set[str] = set()
        """Agents who let an offer run out (A2)."""

    async def settled(self, *, round_follows: bool) -> list[Outgoing]:
        """Load, decide, save; return what is to be said."""
        about_agents = [each for each in self.work.received if isinstance(each.message, AgentMessage)]
        await self._load([str(each.key) for each in about_agents])
        others = (each for each in self.work.received if not isinstance(each.message, AgentMessage))
        self.work.decide_in_order(others, self._decide, "its case is not here yet: the opening is on the way")
        await self.book.lock_agents(self.work.connection, {*self._late, *(each.key for each in about_agents)})
        self._step_away()
        await self._change_agents(about_agents)
        return await self.book.save(self.work.connection, round_follows=round_follows)

    async def _load(self, agent_ids: list[str]) -> None:
        connection = self.work.connection
        wanted = {case_id for received in self.work.received for case_id in _cases_of(received)}
        found = await cases_table.load(connection, wanted, agent_ids)
        for _ in range(MERGES_MAX):
            behind = {case.merged_into for case in found.values() if case.merged_into is not None} - found.keys()
            if not behind:
                break
            found |= await cases_table.load(connection, behind)
        self.book = Book(self.policy, self.work.now, found)
        earlier = _earlier(self.work.received) - found.keys()
        handlers = await cases_table.handlers(connection, list(earlier)) if earlier else {}
        handlers |= {case.case_id: case.agent_id for case in found.values() if case.agent_id is not None}
        colleagues = _colleagues(self.work.received)
        agents = await agents_table.profiles(connection, colleagues) if colleagues else {}
        self._view = View(self.book.cases, agents, handlers)

    def _decide(self, received: Received) -> bool:
        """Decide, unless the case that it is about is not here yet."""
        message = received.message
        if isinstance(message, desk.Command):
            self._command(received, message)
        elif isinstance(message, ContactReceived | ContactCallbackRequested):
            return self._contact(received, message)
        elif isinstance(message, TimerFired):
            self._expired(received, message)
        elif isinstance(message, Followup | Notification):
            case = self.book.cases.get(message.case_id)
            if case is not None:
                occasion = self._occasion(received, _service(received.source))
                self.book.keep((decide_report(case, message, occasion),), received)
        return True

    def _command(self, received: Received, command: desk.Command) -> None:
        occasion = self._occasion(received, command.by)
        case = self.book.cases.get(command.case_id)
        if case is None:
            entry = rejected_unknown(command.case_id, command.type, occasion)
            self.book.said.append(Outgoing(entry.event, entry.message_id, received, entry.value))
        else:
            self.book.keep((decide_command(case, command, occasion, self._view),), received)

    def _contact(self, received: Received, contact: Contact) -> bool:
        occasion = self._occasion(received, contacts.speaker(contact))
        if isinstance(contact, ContactReceived):
            outcome = contacts.received(contact, occasion, self._view)
        else:
            outcome = contacts.callback_requested(contact, occasion, self._view)
        if isinstance(outcome, Unknown):
            return False
        self.book.keep(outcome, received)
        return True

    def _expired(self, received: Received, timer: TimerFired) -> None:
        """End an offer that nobody took; one that has ended otherwise meanwhile is left alone (A2)."""
        case = self.book.cases.get(UUID(timer.key))
        if timer.kind != OFFER_EXPIRES or case is None or case.offer is None or case.offer.offer_id != timer.timer_id:
            return
        self._late.add(case.offer.agent_id)
        self.book.keep((end_offer(case, "expired", self._occasion(received, SYSTEM)),), received)

    def _step_away(self) -> None:
        """Ask nobody who does not answer: the next presence message brings the agent back (A2)."""
        for agent_id in sorted(self._late):
            agent = self.book.agents.get(agent_id)
            if agent is not None and agent.presence == "available":
                self.book.change_agent(present(agent, "away", self.work.now))

    async def _change_agents(self, about_agents: Sequence[Received]) -> None:
        leaving = [
            each.key
            for each in about_agents
            if isinstance(each.message, AgentPresenceChanged) and each.message.presence in GONE
        ]
        if leaving and not set(await cases_table.held(self.work.connection, leaving)) <= self.book.cases.keys():
            raise TransientError("a case came to one of these agents while the agent left")
        hands = _hands(self.book.cases.values()) if leaving else {}
        for received in about_agents:
            self._change_agent(received, hands.get(received.key, ()))

    def _change_agent(self, received: Received, case_ids: Iterable[UUID]) -> None:
        message = received.message
        agent = self.book.agents.get(received.key) or Agent(received.key)
        if isinstance(message, AgentProfileSet):
            self.book.change_agent(Agent(agent.agent_id, message, agent.presence, agent.idle_since, agent.load))
        elif isinstance(message, AgentPresenceChanged):
            self.book.change_agent(present(agent, message.presence, self.work.now))
            if message.presence in GONE:
                self._give_up(received, message, case_ids)

    def _give_up(self, received: Received, message: AgentPresenceChanged, case_ids: Iterable[UUID]) -> None:
        """Take back what an agent who left was asked, and, of one who is offline, what was assigned as well (A7)."""
        occasion = self._occasion(received, Actor(kind="agent", id=message.agent_id))
        for case_id in case_ids:
            decision = _left(self.book.cases[case_id], message, occasion)
            if decision is not None:
                self.book.keep((decision,), received)

    def _occasion(self, received: Received, by: Actor) -> Occasion:
        return Occasion(received.cause, received.message_id, by, self.work.now, self.policy)


@lru_cache(maxsize=64)
def _service(source: str) -> Actor:
    """Return the service of ours that reports, named as in its messages."""
    return SYSTEM.model_copy(update={"id": source.rsplit("/", maxsplit=1)[-1]})


def _hands(cases: Iterable[Case]) -> Mapping[str, Sequence[UUID]]:
    """Return which cases each agent is asked to take or works on, in one order whoever asks."""
    hands: defaultdict[str, list[UUID]] = defaultdict(list)
    for case in cases:
        agent_id = case.agent_id if case.offer is None else case.offer.agent_id
        if agent_id is not None:
            hands[agent_id].append(case.case_id)
    return {agent_id: sorted(case_ids) for agent_id, case_ids in hands.items()}


def _left(case: Case, message: AgentPresenceChanged, occasion: Occasion) -> Decision | None:
    if case.offer is not None and case.offer.agent_id == message.agent_id:
        return withdraw(case, occasion, f"the agent is {message.presence}")
    works = case.state in {"assigned", "waiting_customer", "waiting_department"} and case.agent_id == message.agent_id
    if works and message.presence == "offline":
        return release(case, "agent_offline", occasion)
    return None


def _cases_of(received: Received) -> Iterable[UUID]:
    message = received.message
    if isinstance(message, ContactReceived | ContactCallbackRequested):
        return contacts.cases_of(message)
    if isinstance(message, desk.Merge):
        return (message.case_id, message.into_case_id)
    if isinstance(message, desk.Link):
        return (message.case_id, message.to_case_id)
    if isinstance(message, desk.Command | Followup | Notification):
        return (message.case_id,)
    if isinstance(message, TimerFired):
        return (UUID(message.key),)
    return ()


def _earlier(received: Iterable[Received]) -> set[UUID]:
    """Return the earlier cases whose handlers matter to cases that may be opened."""
    return {
        case_id
        for each in received
        if isinstance(each.message, ContactReceived | ContactCallbackRequested)
        for case_id in opening.earlier_cases(each.message.history, ())
    }


def _colleagues(received: Iterable[Received]) -> set[str]:
    return {
        each.message.to.agent_id
        for each in received
        if isinstance(each.message, desk.Transfer) and each.message.to.agent_id is not None
    }
