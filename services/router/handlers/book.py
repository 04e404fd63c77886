"""What has one transaction seen, decided and said so far?

Everything that follows from a changed case follows here, by comparing before and after: an agent's load, the timer of
an offer, the queue to look at, the mark that its latest state is to be told. No rule of the domain can forget one of
them.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.policy import Policy
from services.router.domain.agents import Agent, Burden, burden, loaded
from services.router.domain.case import Case
from services.router.domain.journal import Decision
from services.router.storage import agents as agents_table
from services.router.storage import cases as cases_table
from services.runtime import timers
from services.runtime.database import Connection
from services.runtime.timers import Timer
from services.runtime.work import Outgoing, Received

OFFER_EXPIRES = "offer_expires"
"""Kind of the timer of an offer; its id is the offer's."""


@dataclass(slots=True)
class Book:
    """The cases and agents of one transaction."""

    policy: Policy
    now: datetime
    loaded: Mapping[UUID, Case]
    """The cases as they were found, locked."""
    cases: dict[UUID, Case] = field(init=False)
    agents: dict[str, Agent] = field(default_factory=dict)
    """Locked; filled by :meth:`lock_agents`."""
    said: list[Outgoing] = field(default_factory=list)
    queues: set[str] = field(default_factory=set)
    """Queues where a round may find something new."""
    opened: dict[UUID, Case] = field(default_factory=dict)
    """Cases that wait and have no row yet: the round that follows in this transaction gives them one."""
    _causes: dict[UUID, Received] = field(default_factory=dict)
    _burdens: list[tuple[Burden, int]] = field(default_factory=list)
    _touched: dict[str, Agent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the cases as they were found."""
        self.cases = dict(self.loaded)

    def keep(self, decisions: Iterable[Decision], cause: Received) -> None:
        """Take what was decided, in order, with all that follows from it."""
        for decision in decisions:
            self._keep(decision, cause)
            self.keep(decision.others, cause)

    def _keep(self, decision: Decision, cause: Received) -> None:
        after = decision.case
        before = self.cases.get(after.case_id)
        if before is after:
            return
        self.cases[after.case_id] = after
        self._causes[after.case_id] = cause
        self.said += [Outgoing(entry.event, entry.message_id, cause, entry.value) for entry in decision.entries]
        capacity = self.policy.routing.capacity
        had, has = burden(before, capacity) if before else None, burden(after, capacity)
        if had != has:
            self._move(had, -1)
            self._move(has, 1)
        if after.state == "queued":
            self.queues.add(after.department)

    def _move(self, change: Burden | None, sign: int) -> None:
        if change is None:
            return
        agent = self.agents.get(change.agent_id)
        if agent is None:
            self._burdens.append((change, sign))
        else:
            self.change_agent(loaded(agent, change, sign, self.now))

    def change_agent(self, agent: Agent) -> None:
        """Take an agent as it is from now on; the queue of its department may find it."""
        self.agents[agent.agent_id] = self._touched[agent.agent_id] = agent
        if agent.department is not None:
            self.queues.add(agent.department)

    async def lock_agents(self, connection: Connection, also: Iterable[str] = ()) -> None:
        """Lock every agent whose load has changed, and these; from now on loads change at once."""
        wanted = {change.agent_id for change, _ in self._burdens} | set(also)
        if not wanted:
            return
        self.agents.update(await agents_table.lock(connection, wanted))
        pending, self._burdens = self._burdens, []
        for change, sign in pending:
            self.change_agent(loaded(self.agents[change.agent_id], change, sign, self.now))

    async def lock_free_agents(self, connection: Connection, wanted: AbstractSet[str]) -> None:
        """Lock those of these agents that nobody else has locked; the others stay unknown."""
        if wanted:
            self.agents.update(await agents_table.lock_free(connection, wanted))

    def traceparent(self, case_id: UUID) -> str | None:
        """Return the trace of what this case's last change came from."""
        return self._causes[case_id].traceparent

    def followed(self, loaded: Mapping[UUID, Case]) -> "Book":
        """Return the book of a round that follows in the same transaction; it stores what was opened here, too."""
        book = Book(self.policy, self.now, {id_: case for id_, case in loaded.items() if id_ not in self.opened})
        book.cases |= self.opened
        book._causes |= {case_id: self._causes[case_id] for case_id in self.opened}
        return book

    async def save(self, connection: Connection, *, round_follows: bool = False) -> list[Outgoing]:
        """Store what changed, set and cancel the timers of offers, and return what is to be said.

        Where a round follows, what was opened and waits is left to it (``opened``): most of it does not wait for long.
        """
        await self.lock_agents(connection)
        if round_follows:
            new = sorted(self.cases.keys() - self.loaded.keys())
            self.opened = {case_id: self.cases[case_id] for case_id in new if self.cases[case_id].state == "queued"}
        changed = [
            case
            for case_id, case in self.cases.items()
            if case is not self.loaded.get(case_id) and case_id not in self.opened
        ]
        traces = {case_id: cause.traceparent for case_id, cause in self._causes.items()}
        await cases_table.save(connection, changed, self.loaded, self.policy, traces, self.now)
        await agents_table.save(connection, list(self._touched.values()))
        await self._time_offers(connection, changed)
        return self.said

    async def _time_offers(self, connection: Connection, changed: Iterable[Case]) -> None:
        started: list[Timer] = []
        ended: list[UUID] = []
        for case in changed:
            before = self.loaded.get(case.case_id)
            old = before.offer if before else None
            if old == case.offer:
                continue
            if old is not None:
                ended.append(old.offer_id)
            if case.offer is not None:
                started.append(Timer(case.offer.offer_id, case.offer.expires_at, OFFER_EXPIRES, str(case.case_id), {}))
        await timers.cancel(connection, ended)
        await timers.schedule(connection, started)
