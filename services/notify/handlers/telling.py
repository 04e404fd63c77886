"""How does a batch of words about cases and contacts become messages to customers?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from contracts.channel import DeliveryReported
from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactEnded, ContactReceived, ContactStarted
from contracts.message import derived_id
from contracts.policy import Policy
from contracts.router import CaseEvent
from contracts.values import CaseState
from services.notify import metrics
from services.notify.domain import requests
from services.notify.domain.case import Case, left_chat, remembered
from services.notify.domain.delivery import GATEWAY, Delivery, delivery_of
from services.notify.domain.intention import Intention
from services.notify.domain.notices import UNSAID, Notice, Said, notification
from services.notify.domain.occasions import occasion
from services.notify.storage import cases, deliveries
from services.runtime.errors import TransientError
from services.runtime.work import Outgoing, Received, Work


@dataclass(slots=True)
class Told:
    """What a batch says, and whether it leaves work for the dispatcher."""

    outgoing: list[Outgoing] = field(default_factory=list)
    waiting: bool = False


@dataclass(slots=True)
class _Batch:
    """The cases of a batch while its messages are read in order."""

    known: dict[UUID, Case]
    policy: Policy
    changed: set[UUID] = field(default_factory=set)
    intentions: list[tuple[Intention, Received]] = field(default_factory=list)

    def read(self, received: Received) -> None:
        """Take one message in."""
        match received.message:
            case CaseEvent() as event:
                self._read_event(event, received)
            case ContactStarted() as started:
                self._intend(requests.greeting(started, self.policy), received)
            case ContactReceived() as words:
                self._intend(requests.choice(words, self.policy), received)
            case ContactEnded() as ended:
                self._read_end(ended)
            case ReminderDue() as due:
                self._intend(requests.reminder(self._case(due.case_id), due, self.policy), received)
            case SurveyRequested() as asked:
                self._intend(requests.survey(self._case(asked.case_id), asked, self.policy), received)

    def _read_event(self, event: CaseEvent, received: Received) -> None:
        before = self.known.get(event.case_id)
        if before is not None and event.version <= before.version:
            return
        after = remembered(before, event)
        if after is None:
            metrics.UNKNOWN_CASES.inc()
            return
        self.known[event.case_id] = after
        self.changed.add(event.case_id)
        self._intend(occasion(after, event, self.policy), received)

    def _read_end(self, ended: ContactEnded) -> None:
        """Remember that a chat reaches nobody any more."""
        for case_id in ended.cases:
            case = self.known.get(case_id)
            if case is not None and (left := left_chat(case, ended.contact.conversation_id)) is not None:
                self.known[case_id] = left
                self.changed.add(case_id)

    def _case(self, case_id: UUID) -> Case:
        case = self.known.get(case_id)
        if case is None:
            raise TransientError("the case's opening has not been read yet")
        return case

    def _intend(self, intention: Intention | None, received: Received) -> None:
        if intention is not None:
            self.intentions.append((intention, received))

    def state_of(self, case_id: UUID | None) -> CaseState | None:
        """Return the latest known state of a case."""
        case = self.known.get(case_id) if case_id is not None else None
        return case.state if case is not None else None


async def tell(work: Work, policy: Policy) -> Told:
    """Remember the cases, decide what their customers are told, and store it; every message at most once."""
    words = [each for each in work.received if not isinstance(each.message, CallbackDue | DeliveryReported)]
    if not words:
        return Told()
    batch = _Batch(await cases.load(work.connection, _case_ids(words)), policy)
    for received in words:
        batch.read(received)
    planned = [
        (intention, delivery, received)
        for intention, received in batch.intentions
        if (delivery := delivery_of(intention, batch.state_of(intention.case_id), work.now, policy)) is not None
    ]
    new = await deliveries.insert(work.connection, [(delivery, cause) for _, delivery, cause in planned], work.now)
    await cases.save(work.connection, [batch.known[case_id] for case_id in batch.changed])
    told = Told()
    for intention, delivery, received in planned:
        told.outgoing += _said(intention, delivery, delivery.delivery_id in new, received, work.now, policy)
        told.waiting |= delivery.state == "queued"
        new.discard(delivery.delivery_id)
    told.outgoing += await _withdrawn(work, batch, words)
    return told


def _case_ids(words: Iterable[Received]) -> set[UUID]:
    ids: set[UUID] = set()
    for received in words:
        match received.message:
            case CaseEvent() | ReminderDue() | SurveyRequested() as about:
                ids.add(about.case_id)
            case ContactEnded() as ended if ended.contact.channel == "chat":
                ids.update(ended.cases)
    return ids


def _said(
    intention: Intention,
    delivery: Delivery,
    new: bool,
    received: Received,
    now: datetime,
    policy: Policy,
) -> list[Outgoing]:
    """Return what goes to the gateway and what is said about it; nothing for a repeat."""
    if not new and not intention.several:
        return []
    said: list[Outgoing] = []
    if new:
        metrics.MESSAGES.labels(channel=delivery.channel, state=delivery.state).inc()
        if delivery.state == "sent" and delivery.request is not None:
            request_id = derived_id(delivery.delivery_id, "outbound")
            said.append(Outgoing(delivery.request, request_id, received))
    notice = _notice(delivery)
    if notice is not None:
        message = notification(notice, now, policy.ref, received.cause)
        said.append(Outgoing(message, notice.message_id, received))
    return said


def _notice(delivery: Delivery) -> Notice | None:
    if delivery.case_id is None or delivery.purpose in UNSAID:
        return None
    if delivery.state == "queued" and delivery.reason is None:
        return None
    return Notice(
        said="deferred" if delivery.state == "queued" else cast("Said", delivery.state),
        delivery_id=delivery.delivery_id,
        case_id=delivery.case_id,
        purpose=delivery.purpose,
        channel=delivery.channel,
        milestone=delivery.milestone,
        provider=GATEWAY if delivery.state == "sent" else None,
        reason=delivery.reason,
        until=delivery.due_at,
    )


async def _withdrawn(work: Work, batch: _Batch, words: Sequence[Received]) -> list[Outgoing]:
    """Drop what the new states of cases have made pointless, and say so."""
    causes = {each.message.case_id: each for each in words if isinstance(each.message, CaseEvent)}
    states = {case_id: batch.known[case_id].state for case_id in batch.changed if case_id in causes}
    said: list[Outgoing] = []
    for gone in await deliveries.drop_obsolete(work.connection, states, work.now):
        cause = causes[gone.case_id]
        notice = Notice(
            "dropped",
            gone.delivery_id,
            gone.case_id,
            gone.purpose,
            gone.channel,
            gone.milestone,
            reason=gone.reason,
        )
        message = notification(notice, work.now, batch.policy.ref, cause.cause)
        said.append(Outgoing(message, notice.message_id, cause))
    return said
