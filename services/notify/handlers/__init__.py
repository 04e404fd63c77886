"""What happens when notify is told something? One handler for all that it listens to."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from contracts.channel import DeliveryReported
from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactEnded, ContactReceived, ContactStarted
from contracts.message import Message, derived_id
from contracts.policy import Policy
from contracts.router import (
    CaseAssigned,
    CaseClosed,
    CaseContactAttached,
    CaseEscalated,
    CaseEvent,
    CaseInformationReceived,
    CaseInformationRequested,
    CaseMarkedSpam,
    CaseMerged,
    CaseOpened,
    CaseProgressed,
    CaseReclassified,
    CaseReopened,
    CaseResolved,
    ClockWarned,
    MilestoneReached,
    PromiseBreached,
    PromiseMoved,
    SolutionProposed,
)
from services.notify import metrics
from services.notify.domain import requests
from services.notify.handlers import receipts, telling
from services.runtime.looking import DueEvent
from services.runtime.work import Handler, Outgoing, Received, Work

CASE_EVENTS: frozenset[type[CaseEvent]] = frozenset({
    CaseAssigned, CaseClosed, CaseContactAttached, CaseEscalated, CaseInformationReceived, CaseInformationRequested,
    CaseMarkedSpam, CaseMerged, CaseOpened, CaseProgressed, CaseReclassified, CaseReopened, CaseResolved, ClockWarned,
    MilestoneReached, PromiseBreached, PromiseMoved, SolutionProposed,
})  # fmt: skip
"""Events of a case that are an occasion, or after which a waiting message means nothing any more."""
WANTS: frozenset[type[Message]] = CASE_EVENTS | {
    ContactStarted, ContactReceived, ContactEnded, ReminderDue, SurveyRequested, CallbackDue, DeliveryReported,
}  # fmt: skip


def handler_of(policy: Policy, queued: DueEvent) -> Handler:
    """Return the handler; ``queued`` rings when a transaction has left something for the dispatcher."""

    async def handle(work: Work) -> list[Outgoing]:
        reports = [received for received in work.received if received.type == DeliveryReported.type]
        told = await telling.tell(work, policy)
        calls = [call for received in _due(work) for call in _calls(received, policy)]
        answered = await receipts.receive(work, reports, policy)
        if told.waiting:
            work.after_commit.append(partial(queued.ring, work.now))
        return [*told.outgoing, *calls, *answered]

    return handle


def _due(work: Work) -> Iterator[Received]:
    """Yield the callbacks that are due; one of a case whose words wait for its opening waits with them."""
    waiting = {(each.topic, each.key) for each in work.received if id(each) in work.postponed}
    for received in work.received:
        if received.type == CallbackDue.type:
            if (received.topic, received.key) in waiting:
                work.postpone(received, "words of its case wait")
            else:
                yield received


def _calls(received: Received, policy: Policy) -> list[Outgoing]:
    """Ask a gateway to place a call that is due, once per attempt (F2).

    One that policy forbids is only counted: followup hears of no call, counts a try and gives up after the last one.
    """
    due: Any = received.message
    request = requests.call(due, policy)
    if isinstance(request, str):
        metrics.CALLS_REFUSED.labels(reason=request).inc()
        return []
    return [Outgoing(request, derived_id(request.callback_id, "call", request.attempt), received)]
