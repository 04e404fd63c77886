"""How do waiting cases come to agents?

A round holds the right to its queues for the length of its transaction, so two replicas never match one queue at the
same time. It reads queues and agents without locking them, decides purely, and then locks only what it chose: what
changed meanwhile, or is locked by another, is left out and looked at again. So a round waits for nobody, and can stand
at the end of a transaction that holds other cases and agents.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from contracts.message import derived_id
from contracts.values import Cause
from services.router.domain.agents import Agent
from services.router.domain.case import Case
from services.router.domain.journal import SYSTEM, Occasion
from services.router.domain.matching import Match, Waiting, match, place
from services.router.domain.offering import Pick, give
from services.router.handlers.aside import SPOILT
from services.router.handlers.book import Book
from services.router.storage import cases as cases_table
from services.router.storage import queues
from services.router.storage.agents import Everybody
from services.router.storage.queues import Heads, Look, Queued
from services.runtime.database import Connection
from services.runtime.work import TIMER_TYPE_PREFIX, TIMERS_TOPIC, Outgoing, Received, TimerFired

ROUND = "round"
DECISIONS_MAX = 200
"""Of one round: what it has chosen stays locked until it ends, and whoever came meanwhile waits for the next."""
LOOK_MIN = 100
LOOK_PER_PLACE = 2
LOOK_FIRST_MAX = 300
"""A round looks a little further into the queues than there are places: not everybody can take every case."""
LOOK_MAX = 32_000
DEEPER = 4
"""After the first look, a queue whose own department has nobody free is looked into so many times less far."""
NOWHERE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did."""

    said: Sequence[Outgoing]
    matched: int
    again: frozenset[str]
    """Queues to look at at once: another replica had them, or something changed under the round's hands."""
    deeper: frozenset[str]
    """Somebody is still free, and these queues may be longer than the look."""
    missed: frozenset[str] = frozenset()
    """Of the queues to look at again: those that another round had, so that this one saw nothing of them."""
    freed: frozenset[str] = frozenset()
    """Departments where somebody who has become freer is still free."""
    more: bool = False
    """There were more to decide than one round decides, or a queue may be longer than the look."""
    full: bool = False
    """The round decided as many as one round may."""


async def match_queues(
    connection: Connection,
    before: Book,
    asked: AbstractSet[str],
    agents: Everybody,
    far: Mapping[str, int] = NOWHERE,
) -> Round:
    """Match these queues with the agents who are there (A3); ``far``: how many of a queue are looked at at most.

    ``before``: what this transaction has done until now; its cases are locked, and those it has opened get their rows
    here.
    """
    mine = await queues.lock(connection, asked) if asked else set()
    missed = frozenset(asked - mine)
    everybody = await agents.look(connection) if mine else []
    free = _free(agents.room.values()) if mine else Counter[str]()
    if not free:
        said = await before.followed({}).save(connection)
        return Round(said, 0, missed, deeper=frozenset(), missed=missed)
    heads = await queues.waiting(connection, _looks(mine, free, far), before.now, before.policy.routing)
    waiting, longer = [*heads.first, *_opened(before, mine, heads)], heads.longer
    matches, found = await _matched(connection, before, [each.waiting for each in waiting], everybody)
    traces = {each.waiting.case_id: each.traceparent for each in waiting}
    book = before.followed(found)
    lost = await _given(connection, book, matches, traces)
    said = await book.save(connection)
    again = missed | {each.waiting.department for each in lost if each.waiting.case_id in found}
    full = len(matches) == DECISIONS_MAX
    given = Counter[str]()
    for each in matches:
        given[each.agent_id] += each.waiting.units
    agents.freed = {each for each in agents.freed if agents.room[each].free() > given[each]}
    left = free.total() - given.total()
    return Round(
        said,
        len(matches) - len(lost),
        again,
        deeper=longer if left > 0 and not full else frozenset(),
        missed=missed,
        freed=frozenset(filter(None, (agents.room[each].department for each in agents.freed))),
        more=full or bool(longer),
        full=full,
    )


async def match_at_once(
    connection: Connection, before: Book, agents: Everybody
) -> tuple[Sequence[Outgoing], AbstractSet[str]]:
    """Match the queues that a transaction has changed, in it; return what is said, and where more is to be done.

    That is where more waits than one round decides, or somebody has become freer and is still free. A case or an agent
    that cannot be handled is left to a round of its own, which sets it aside.
    """
    asked = before.queues
    try:
        found = await match_queues(connection, before, asked, agents)
    except SPOILT:
        return await before.followed({}).save(connection), asked
    left = asked if found.full else found.again | found.deeper if found.freed else found.again
    agents.freed.clear()
    return found.said, left


def _free(room: Iterable[Agent]) -> Counter[str]:
    """Return how many units can be given in each department, whatever the channel; no department has none."""
    found: Counter[str] = Counter()
    for agent in room:
        if agent.department is not None:
            found[agent.department] += agent.free()
    return found


def _looks(mine: AbstractSet[str], free: Counter[str], far: Mapping[str, int]) -> list[Look]:
    """Return how far to look into each queue: at first by how much is free, in all and on average."""
    asked = max(1, len(mine & free.keys()))
    first = min(LOOK_FIRST_MAX, LOOK_MIN + LOOK_PER_PLACE * min(free.total(), DECISIONS_MAX) // asked)
    looks = []
    for department in sorted(mine):
        own = department in free
        most = first if department not in far else far[department] if own else -(-far[department] // DEEPER)
        looks.append(Look(department, min(LOOK_MAX, most), own))
    return looks


def _opened(before: Book, mine: AbstractSet[str], heads: Heads) -> list[Queued]:
    """Return who has just come to these queues and stands where was looked at: who is further behind waits for a look.

    Somebody between, whom nobody has seen, may be fit for an agent whom the head is not fit for.
    """
    now, policy = before.now, before.policy.routing
    found = [
        queues.opened(case, now, policy, before.traceparent(case_id))
        for case_id, case in before.opened.items()
        if case.department in mine
    ]
    last: dict[str, tuple[int, datetime, int]] = {}
    for each in heads.first:
        department = each.waiting.department
        if department in heads.longer:
            last[department] = max(last.get(department, place(each.waiting)), place(each.waiting))
    bounds = ((each, last.get(each.waiting.department)) for each in found)
    return [each for each, bound in bounds if bound is None or place(each.waiting) < bound]


async def _matched(
    connection: Connection,
    before: Book,
    waiting: Sequence[Waiting],
    everybody: Sequence[Agent],
) -> tuple[Sequence[Match], dict[UUID, Case]]:
    """Choose and lock; what somebody else has locked is left out, and its agents are given a second choice.

    To wait for it would hold up every queue of the round.
    """
    now, policy, held = before.now, before.policy, before.cases
    matches = match(waiting, everybody, now, policy.routing, DECISIONS_MAX)
    chosen = {each.waiting.case_id for each in matches}
    found = await _locked(connection, chosen, held)
    locked = chosen - found.keys()
    if locked:
        free = [each for each in waiting if each.case_id not in locked]
        matches = match(free, everybody, now, policy.routing, DECISIONS_MAX)
        found |= await _locked(connection, {each.waiting.case_id for each in matches} - found.keys(), held)
    return matches, found


async def _locked(connection: Connection, chosen: AbstractSet[UUID], held: Mapping[UUID, Case]) -> dict[UUID, Case]:
    """Return those of these cases that are ours to change, from now on if not before."""
    ours = {case_id: held[case_id] for case_id in chosen & held.keys()}
    return ours | await cases_table.load_free(connection, chosen - ours.keys())


async def _given(
    connection: Connection,
    book: Book,
    matches: Sequence[Match],
    traces: dict[UUID, str | None],
) -> list[Match]:
    """Check under the locks that what was chosen is still so, give the cases to the agents, and return what is not."""
    now, policy = book.now, book.policy
    await book.lock_free_agents(connection, {each.agent_id for each in matches})
    lost: list[Match] = []
    for each in matches:
        case = book.cases.get(each.waiting.case_id)
        if case is None or not _still_fits(case, each, book):
            lost.append(each)
            continue
        # What another transaction has stored since this one began is seen here, and may be later than its beginning.
        moment = max(now, case.updated_at)
        cause = to_itself(ROUND, case, moment, traces.get(case.case_id))
        agent = book.agents[each.agent_id].profile
        if agent is not None:
            occasion = Occasion(cause.cause, cause.message_id, SYSTEM, moment, policy)
            book.keep((give(case, Pick(agent, each.decision), occasion),), cause)
    return lost


def _still_fits(case: Case, chosen: Match, book: Book) -> bool:
    agent = book.agents.get(chosen.agent_id)
    return (
        agent is not None
        and agent.presence == "available"
        and case.version == chosen.waiting.version
        and case.state == "queued"
        and agent.free(chosen.waiting.channel) >= chosen.waiting.units
    )


def to_itself(kind: str, case: Case, now: datetime, traceparent: str | None) -> Received:
    """Return the message to itself that a round or a sweep stands for: it carries on the case's trace."""
    message_id = derived_id(case.case_id, kind, case.version)
    timer = TimerFired(kind, str(case.case_id), {}, now, message_id, case.version)
    cause = Cause(id=str(message_id), type=TIMER_TYPE_PREFIX + kind)
    return Received(
        message=timer,
        message_id=message_id,
        ce_id=cause.id,
        source="caseloop/router",
        type=cause.type,
        time=now,
        traceparent=traceparent,
        topic=TIMERS_TOPIC,
        partition=-1,
        offset=case.version,
        key=timer.key,
    )
