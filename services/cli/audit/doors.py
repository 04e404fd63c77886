"""Has every event that came in by a channel its ending, and every understood demand its case (R8)?

The endings: understood (a contact says so), a duplicate of an earlier event, parked byte for byte, or settled without a
word (the duplicate guard of intake knows it).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from contracts import intake
from contracts.registry import MESSAGES
from services.cli.audit.findings import Findings
from services.runtime.envelope import opener
from services.runtime.records import Record
from services.runtime.refusal import Unreadable
from services.runtime.work import Received

CHANNEL_CHECK = "channel event"
CONTACT_CHECK = "contact"
Place = tuple[str, int, int]
"""Topic, partition, offset."""
_OLDEST = datetime.min.replace(tzinfo=UTC)
_OPEN = opener(list(MESSAGES.values()))


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event whose ending nobody has told yet: only the duplicate guard can know it."""

    message_id: UUID
    where: str


@dataclass(slots=True)
class Doors:
    """What came in, and what became of it."""

    findings: Findings
    parked_by_intake: Mapping[Place, str]
    """Place of a record to how it stands in the parking lot."""
    parked_by_router: Mapping[Place, str]
    endings: Counter[str] = field(default_factory=Counter)
    contacts: dict[tuple[str, str], str] = field(default_factory=dict)
    """Cause of a contact (id and type) to how it was understood."""
    owed: dict[str, str] = field(default_factory=dict)
    """Contact (its event id) whose demands must be on the journal, to its place."""
    waiting: list[Waiting] = field(default_factory=list)
    _seen: set[UUID] = field(default_factory=set)

    def take_contact(self, record: Record) -> None:
        """Add what intake said."""
        opened = _OPEN(record, _OLDEST)
        if not isinstance(opened, Received) or not isinstance(opened.message, intake.ContactMessage):
            self.findings.add(CONTACT_CHECK, _where(record), "it cannot be read")
            return
        message = opened.message
        understood = "ignored" if isinstance(message, intake.ContactIgnored) else "understood"
        self.contacts[(message.cause.id, message.cause.type)] = understood
        if _demands(message) and _place(record) not in self.parked_by_router:
            self.owed[opened.ce_id] = _where(record)

    def take_channel_event(self, record: Record) -> None:
        """Add what a gateway sent; all contacts have been taken before."""
        opened = _OPEN(record, _OLDEST)
        parked = self.parked_by_intake.get(_place(record))
        if isinstance(opened, Received) and opened.message_id in self._seen:
            self.endings["duplicate"] += 1
        elif parked is not None:
            self.endings["parked" if parked in {"dead", "retry"} else parked] += 1
        elif isinstance(opened, Unreadable):
            self.findings.add(CHANNEL_CHECK, _where(record), f"it cannot be read ({opened.reason}) and is not parked")
        elif isinstance(opened, Received):
            self._judge(opened, record)
        if isinstance(opened, Received):
            self._seen.add(opened.message_id)

    def take_cause(self, cause_id: str) -> None:
        """Strike a contact off: an event of the journal names it as its cause."""
        self.owed.pop(cause_id, None)

    def close(self, known: Collection[UUID]) -> None:
        """Judge what is left; ``known`` are the ids that the duplicate guard of intake has settled."""
        for event in self.waiting:
            if event.message_id in known:
                self.endings["settled"] += 1
            else:
                self.findings.add(CHANNEL_CHECK, event.where, "it has no ending: neither understood nor parked")
        for where in self.owed.values():
            self.findings.add(CONTACT_CHECK, where, "its demand has no event on the journal")

    def _judge(self, opened: Received, record: Record) -> None:
        understood = self.contacts.get((opened.ce_id, opened.type))
        if understood is None:
            self.waiting.append(Waiting(opened.message_id, _where(record)))
        else:
            self.endings[understood] += 1


def _demands(message: intake.ContactMessage) -> Iterable[object]:
    if isinstance(message, intake.ContactReceived):
        return message.demands
    return [message.demand] if isinstance(message, intake.ContactCallbackRequested) and message.demand else []


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def _where(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
