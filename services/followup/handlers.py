"""How does one batch of events, contacts, reports and timers become followups?"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from contracts.channel import CallReported
from contracts.intake import ContactReceived, ContactStarted
from contracts.policy import Policy
from contracts.router import CaseEvent, CaseOpened, CommandRejected
from services.followup import storage
from services.followup.batch import Batch
from services.followup.domain import decisions
from services.followup.domain.copying import replaced
from services.followup.domain.decisions import Greeting
from services.followup.domain.rules import Rules
from services.followup.domain.state import CaseFollowup
from services.followup.recent import RecentCases
from services.followup.storage import Handle
from services.runtime import timers
from services.runtime.errors import WRONG_SETTINGS, StartError
from services.runtime.timers import Timer
from services.runtime.work import Handler, Outgoing, Received, TimerFired, Work

WAKE = "case_wake"
LOST_AFTER = timedelta(minutes=1)


def handler_of(policy: Policy) -> Handler:
    """Return the handler for this policy; ``StartError`` when the policy names what it does not have."""
    try:
        rules = Rules(policy)
    except ValueError as problem:
        raise StartError(f"CASELOOP_POLICY: {problem}", exit_code=WRONG_SETTINGS) from None
    return partial(handle, rules, RecentCases())


async def handle(rules: Rules, recent: RecentCases, work: Work) -> Sequence[Outgoing]:
    """Load every case that the batch is about, decide in memory, save once."""
    greetings = await _greetings(rules, work)
    found = await _find_handles(rules, work)
    cases = {handle.handle_id: handle.case_id for handle in found}
    customers = _by_customer(found)
    named = sorted({*_named_cases(work.received), *cases.values()})
    states = await storage.load(work.connection, named, recent)
    batch = Batch(rules, states)
    for received in work.received:
        _decide(batch, received, greetings, cases, customers, work.now)
    for received in batch.idle:
        work.without_effect(received)
    await _save(rules, batch, recent, work)
    return batch.outgoing


def _decide(
    batch: Batch,
    received: Received,
    greetings: dict[str, Greeting],
    cases: dict[UUID, UUID],
    customers: dict[UUID, set[UUID]],
    now: datetime,
) -> None:
    match received.message:
        case CaseOpened() as event:
            batch.opened(received, event, greetings)
        case CaseEvent() | CommandRejected() as event:
            batch.happened(received, event)
        case TimerFired() as timer:
            batch.woken(received, UUID(timer.key), now)
        case CallReported() as report if report.callback_id in cases:
            batch.reported(received, report, cases[report.callback_id], now)
        case ContactReceived(survey_answer=answer) as contact if answer is not None and answer.survey_id in cases:
            batch.answered(received, answer, cases[answer.survey_id], contact.occurred_at)
        case ContactStarted() as contact:
            batch.connected(received, contact, sorted(customers.get(contact.customer.customer_id, ())))
        case _:
            pass


def _named_cases(received: Iterable[Received]) -> Iterator[UUID]:
    for each in received:
        match each.message:
            case CaseEvent(case_id=case_id) | CommandRejected(case_id=case_id):
                yield case_id
            case TimerFired(key=key):
                yield UUID(key)
            case _:
                pass


async def _find_handles(rules: Rules, work: Work) -> list[Handle]:
    """Look up what reports, replies and live contacts name; nothing in a batch without any."""
    live = rules.policy.callbacks.live_contact.channels
    handle_ids: set[UUID] = set()
    customer_ids: set[UUID] = set()
    for received in work.received:
        match received.message:
            case CallReported(callback_id=callback_id):
                handle_ids.add(callback_id)
            case ContactReceived(survey_answer=answer) if answer is not None:
                handle_ids.add(answer.survey_id)
            case ContactStarted() as contact if contact.contact.channel in live:
                customer_ids.add(contact.customer.customer_id)
            case _:
                pass
    return await storage.find_handles(work.connection, sorted(handle_ids), sorted(customer_ids))


def _by_customer(found: Iterable[Handle]) -> dict[UUID, set[UUID]]:
    cases: dict[UUID, set[UUID]] = {}
    for handle in found:
        cases.setdefault(handle.customer_id, set()).add(handle.case_id)
    return cases


async def _greetings(rules: Rules, work: Work) -> dict[str, Greeting]:
    """Keep how conversations begin, and return how those began that get a case now (R2)."""
    connected: dict[str, datetime] = {}
    greeted: dict[str, datetime] = {}
    claimed: list[str] = []
    for received in work.received:
        match received.message:
            case ContactStarted(contact=contact) as started if contact.channel in rules.greeted_channels:
                connected.setdefault(contact.conversation_id, started.occurred_at)
            case ContactReceived(author="agent", contact=contact) as words if contact.channel in rules.greeted_channels:
                greeted.setdefault(contact.conversation_id, words.occurred_at)
            case CaseOpened(contact=contact) if contact.channel in rules.greeted_channels:
                claimed.append(contact.conversation_id)
            case _:
                pass
    await storage.keep_greetings(work.connection, connected, work.now)
    await storage.mark_greeted(work.connection, greeted)
    return await storage.claim_greetings(work.connection, claimed)


async def _save(rules: Rules, batch: Batch, recent: RecentCases, work: Work) -> None:
    """Write what changed, and set the timer of every case that must be woken earlier than its timer would."""
    timed = [(before, *_timed(after, rules, work.now)) for before, after in batch.changed()]
    await storage.save(work.connection, [(before, after) for before, after, _ in timed], *batch.handles(), recent)
    await timers.schedule(work.connection, [_timer(state) for _, state, change in timed if change == "set"])
    await timers.cancel(work.connection, [state.case_id for _, state, change in timed if change == "cancelled"])


def _timed(state: CaseFollowup, rules: Rules, now: datetime) -> tuple[CaseFollowup, str]:
    """Return the case with its timer as it must be.

    A timer that fires too early is left alone: it finds nothing to do and sets itself anew. That is cheaper than moving
    it with every step of a case, most of which end before it fires. One that should have fired long ago is lost (parked
    for good after a failure, say) and is set anew.
    """
    moment = decisions.next_moment(state, rules)
    if moment is None:
        return (replaced(state, wake_at=None), "cancelled") if state.wake_at is not None else (state, "kept")
    if state.wake_at is not None and now - LOST_AFTER < state.wake_at <= moment:
        return state, "kept"
    return replaced(state, wake_at=moment), "set"


def _timer(state: CaseFollowup) -> Timer:
    return Timer(state.case_id, state.wake_at or state.told_at, WAKE, str(state.case_id), {})
