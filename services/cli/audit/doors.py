"""Has every event that came in by a channel its ending, and every understood demand its case (R8)?

The endings: understood (a contact says so), a duplicate of an earlier event, parked byte for byte, settled without a
word (the duplicate guard of intake knows it), or in flight: intake has not read so far yet.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from contracts import intake
from contracts.registry import MESSAGES
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.journal import identity
from services.cli.audit.repairs import PublishAgain
from services.cli.audit.runs import Fact, Sorter
from services.runtime.envelope import opener
from services.runtime.records import Record
from services.runtime.refusal import Unreadable
from services.runtime.work import Received

CHANNEL_CHECK = "channel event"
CONTACT_CHECK = "contact"
Place = tuple[str, int, int]
"""Topic, partition, offset."""
EVENT, CONTACT, OWED = "event", "contact", "owed"
_OLDEST = datetime.min.replace(tzinfo=UTC)
_OPEN = opener(list(MESSAGES.values()))
_ADVICE_LOST = "`caseloop audit --repair` publishes it again with its id; if intake has it, nothing happens"
_ADVICE_UNREADABLE = "intake should have parked it: is it of this release? `caseloop status` says whether it is ready"


@dataclass(slots=True)
class Door:
    """Puts down what came in and what intake made of it."""

    events: Sorter
    contacts: Sorter
    findings: Findings
    parked_by_intake: Mapping[Place, str]
    """Place of a record to how it stands in the parking lot."""
    parked_by_router: Mapping[Place, str]
    reached: Mapping[tuple[str, int], int]
    """Where intake had come to in each partition: what lies behind it is in flight."""
    endings: Counter[str] = field(default_factory=Counter)
    oldest_ms: int | None = None
    """When the oldest event that is in flight came in."""

    def take_contact(self, record: Record) -> None:
        """Add what intake said."""
        opened = _OPEN(record, _OLDEST)
        if not isinstance(opened, Received) or not isinstance(opened.message, intake.ContactMessage):
            spot = _spot(record)
            advice = "only intake may write here; what follows from it on the journal is checked for itself"
            self.findings.add(Finding(CONTACT_CHECK, str(spot), "it cannot be read", advice, spot=spot))
            return
        message = opened.message
        understood = "ignored" if isinstance(message, intake.ContactIgnored) else "understood"
        self.events.add(_key(message.cause.id, message.cause.type), (CONTACT, understood))
        if _demands(message) and _place(record) not in self.parked_by_router:
            self.contacts.add(identity(opened.ce_id), (OWED, record.partition, record.offset))

    def take_channel_event(self, record: Record) -> None:
        """Add what a gateway sent."""
        opened = _OPEN(record, _OLDEST)
        parked = self.parked_by_intake.get(_place(record))
        if parked is not None:
            parked = "parked" if parked in {"dead", "retry"} else parked
        elif record.offset >= self.reached.get((record.topic, record.partition), 0):
            parked = "in_flight"
        if isinstance(opened, Received):
            place = (record.topic, record.partition, record.offset)
            key = _key(opened.ce_id, opened.type)
            fact = (EVENT, *place, record.timestamp_ms, opened.message_id.bytes, parked or "")
            self.events.add(key, fact, _arrival(fact))
        elif parked is not None:
            self.end(parked, record.timestamp_ms)
        elif isinstance(opened, Unreadable):
            spot = _spot(record)
            problem = f"it cannot be read ({opened.reason}) and is not parked"
            self.findings.add(Finding(CHANNEL_CHECK, str(spot), problem, _ADVICE_UNREADABLE, spot=spot))

    def end(self, ending: str, timestamp_ms: int) -> None:
        """Count an ending."""
        self.endings[ending] += 1
        if ending == "in_flight":
            self.oldest_ms = timestamp_ms if self.oldest_ms is None else min(self.oldest_ms, timestamp_ms)

    def judge(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        """Count the endings of all events of one key, and yield those that only the duplicate guard can know.

        However often an event was repeated, none is held: contacts come first, then the records of each event.
        """
        understood, judged = "", b""
        for fact in facts:
            if fact[0] == CONTACT:
                understood = understood or fact[1]
                continue
            timestamp_ms, message_id, parked = fact[4:]
            if message_id == judged:
                self.end("duplicate", timestamp_ms)
            elif understood or parked:
                self.end(parked if parked and parked != "in_flight" else understood or parked, timestamp_ms)
            else:
                yield fact
            judged = message_id

    def lost(self, fact: Fact) -> None:
        """Add an event that nobody has recorded."""
        spot = Spot(*fact[1:4])
        problem = "it has no ending: neither understood nor parked"
        repair = PublishAgain(spot.topic, spot.partition, spot.offset)
        self.findings.add(Finding(CHANNEL_CHECK, str(spot), problem, _ADVICE_LOST, spot=spot, repair=repair))


def message_id_of(fact: Fact) -> UUID:
    """Return the identity of an event by which the duplicate guard knows it."""
    return UUID(bytes=fact[5])


def _arrival(fact: Fact) -> bytes:
    """Return where an event stands: behind contacts, which have no order, beside its repeats, the first one first."""
    _, topic, partition, offset, timestamp_ms, message_id, _ = fact
    return b"%b%016x%b\0%08x%016x" % (message_id, max(timestamp_ms, 0), topic.encode(), partition, offset)


def _key(ce_id: str, kind: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{ce_id}".encode()).digest()[:16]


def _demands(message: intake.ContactMessage) -> Sequence[object]:
    if isinstance(message, intake.ContactReceived):
        return message.demands
    return [message.demand] if isinstance(message, intake.ContactCallbackRequested) and message.demand else []


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def _spot(record: Record) -> Spot:
    return Spot(record.topic, record.partition, record.offset)
