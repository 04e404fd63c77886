"""How does a batch of words about cases and contacts become messages to customers?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from contracts.channel import DeliveryReported
from contracts.followup import CallbackDue, ReminderDue, SurveyRequested
from contracts.intake import ContactEnded, ContactReceived, ContactStarted
from contracts.message import derived_id
from contracts.policy import Policy
from contracts.router import CaseEvent
from contracts.values import CaseState, PolicyRef
from services.notify import metrics
from services.notify.domain import requests
from services.notify.domain.case import Case, left_chat, remembered
from services.notify.domain.delivery import GATEWAY, Delivery, delivery_of
from services.notify.domain.intention import Intention
from services.notify.domain.notices import UNSAID, Notice, Said, notification
from services.notify.domain.occasions import occasion
from services.notify.storage import cases, deliveries
from services.runtime.work import Outgoing, Received, Work

_JOURNAL, _CONTACTS = CaseEvent.topic, ContactStarted.topic
_OTHERS = frozenset({CallbackDue.type, DeliveryReported.type})
"""What this has no words for."""
_ABOUT_A_CASE = frozenset({ReminderDue.type, SurveyRequested.type})
"""What may be here before the opening of its case, which comes by another topic."""


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
    idle: list[Received] = field(default_factory=list)
    """Events that changed nothing."""

    def read(self, received: Received) -> bool:
        """Take one message in, unless the case that it is about is not here yet."""
        message: Any = received.message
        if received.type in _ABOUT_A_CASE and message.case_id not in self.known:
            return False
        match received.type:
            case ContactStarted.type:
                self._intend(requests.greeting(message, self.policy), received)
            case ContactReceived.type:
                self._intend(requests.choice(message, self.policy), received)
            case ContactEnded.type:
                self._read_end(message)
            case ReminderDue.type:
                self._intend(requests.reminder(self.known[message.case_id], message, self.policy), received)
            case SurveyRequested.type:
                self._intend(requests.survey(self.known[message.case_id], message, self.policy), received)
            case _:
                self._read_event(message, received)
        return True

    def _read_event(self, event: CaseEvent, received: Received) -> None:
        before = self.known.get(event.case_id)
        if before is not None and event.version <= before.version:
            self.idle.append(received)
            return
        after = remembered(before, event)
        if after is None:
            metrics.UNKNOWN_CASES.inc()
            self.idle.append(received)
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

    def _intend(self, intention: Intention | None, received: Received) -> None:
        if intention is not None:
            self.intentions.append((intention, received))

    def state_of(self, case_id: UUID | None) -> CaseState | None:
        """Return the latest known state of a case."""
        case = self.known.get(case_id) if case_id is not None else None
        return case.state if case is not None else None


async def tell(work: Work, policy: Policy) -> Told:
    """Remember the cases, decide what their customers are told, and store it; every message at most once."""
    words = [each for each in work.received if each.type not in _OTHERS]
    if not words:
        return Told()
    batch = _Batch(await cases.load(work.connection, _case_ids(words)), policy)
    work.decide_in_order(words, batch.read, "its case is not here yet: the opening is on the way")
    for each in batch.idle:
        work.without_effect(each)
    planned = [
        (intention, delivery, received)
        for intention, received in batch.intentions
        if (delivery := delivery_of(intention, batch.state_of(intention.case_id), work.now, policy)) is not None
    ]
    new = await deliveries.insert(work.connection, [(delivery, cause) for _, delivery, cause in planned], work.now)
    await cases.save(work.connection, [batch.known[case_id] for case_id in batch.changed])
    told, ref = Told(), policy.ref
    first: Counter[tuple[str, str]] = Counter()
    for intention, delivery, received in planned:
        is_new = delivery.delivery_id in new
        new.discard(delivery.delivery_id)
        first[delivery.channel, delivery.state] += is_new
        if is_new or intention.several:
            told.outgoing += _said(delivery, is_new, received, work.now, ref)
        told.waiting |= delivery.state == "queued"
    for (channel, state), count in first.items():
        metrics.MESSAGES.labels(channel, state).inc(count)
    told.outgoing += await _withdrawn(work, batch, words)
    return told


def _case_ids(words: Iterable[Received]) -> set[UUID]:
    ids: set[UUID] = set()
    for received in words:
        message: Any = received.message
        if received.topic != _CONTACTS:
            ids.add(message.case_id)
        elif received.type == ContactEnded.type and message.contact.channel == "chat":
            ids.update(message.cases)
    return ids


def _said(delivery: Delivery, new: bool, received: Received, now: datetime, policy: PolicyRef) -> list[Outgoing]:
    """Return what goes to the gateway, once, and what is said about it."""
    said: list[Outgoing] = []
    if new and delivery.state == "sent" and delivery.request is not None:
        said.append(Outgoing(delivery.request, derived_id(delivery.delivery_id, "outbound"), received))
    notice = _notice(delivery)
    if notice is not None:
        message = notification(notice, now, policy, received.cause)
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
    causes: dict[UUID, Received] = {}
    for each in words:
        message: Any = each.message
        if each.topic == _JOURNAL:
            causes[message.case_id] = each
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
