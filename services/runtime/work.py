"""What does a handler get, and what does it give back?

A handler loads, decides, saves, and returns what it wants to say. It never publishes, never commits and never asks
the time: the runtime has opened the transaction, removed the duplicates and read the clock before it calls.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.message import Message
from contracts.values import Cause
from services.runtime.database import Connection

TIMERS_TOPIC = "timers"
"""The pretended topic of fired timers; no Kafka topic has this name."""
TIMER_TYPE_PREFIX = "caseloop.timer."


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A message to oneself whose time has come; it arrives where every other message arrives."""

    kind: str
    key: str
    payload: Mapping[str, str | int | None]
    due_at: datetime
    timer_id: UUID
    generation: int


class Received(NamedTuple):
    """One message that has been read, checked and found new; a tuple, since a case has dozens of them."""

    message: Message | TimerFired
    message_id: UUID
    """Identity for the inbox and root of derived ids: the CloudEvents id when it is a UUID of ours, else derived from
    source and id; of a timer, derived from its id and generation."""
    ce_id: str
    source: str
    type: str
    time: datetime
    traceparent: str | None
    topic: str
    """Without the deployment's prefix; ``timers`` for a fired timer."""
    partition: int
    offset: int
    key: str
    value: bytes = b""
    """The data as it was sent, for who keeps it; empty for a fired timer."""

    @property
    def cause(self) -> Cause:
        """What a message that follows from this one names as its cause."""
        return Cause(id=self.ce_id, type=self.type)


class Outgoing(NamedTuple):
    """One message to say; topic, key, type and subject come from the message itself."""

    message: Message
    message_id: UUID
    """Derived (uuid5), never random, so that a repeat is recognisable."""
    cause: Received | None = None
    """Whose trace this message continues."""
    value: bytes | None = None
    """The bytes of the record when the sender has encoded them already (hashed events), else ``message.value()``."""


@dataclass(slots=True)
class Work:
    """One transaction's worth of messages."""

    connection: Connection
    """Inside the open transaction."""
    received: Sequence[Received]
    """In order per key, without duplicates."""
    now: datetime
    """UTC, read once per batch at the edge."""
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """What a handler wants told in this process once its work is stored, such as a wake; never after a rollback."""
    postponed: dict[int, str] = field(default_factory=dict)
    """Why a message cannot be handled yet, by the ``id()`` of its object."""
    idle: set[int] = field(default_factory=set)
    """Messages that changed nothing, by the ``id()`` of their objects."""

    def without_effect(self, received: Received) -> None:
        """Say that this message changed nothing: something later was here before it, or what it is about is not known.

        Nobody needs to hear that of a repeat; but whoever has a parked record tried again sees how that ended.
        """
        self.idle.add(id(received))

    def postpone(self, received: Received, why: str) -> None:
        """Have this message tried again later, as if it had come alone; the others of the batch go on.

        For what waits for another message that is on its way. Whoever postpones one message also postpones the later
        ones of its topic and key, or they would overtake it.
        """
        self.postponed[id(received)] = why

    def decide_in_order(self, received: Iterable[Received], decide: Callable[[Received], bool], why: str) -> None:
        """Let each of these be decided in order; ``decide`` tells whether what it waits for is here.

        What waits for another of the batch comes last; what waits even then is postponed, and so is whoever stands
        behind it under its key.
        """
        left = _undecided(_undecided(received, decide), decide)
        for each in left:
            self.postpone(each, why)


def _undecided(received: Iterable[Received], decide: Callable[[Received], bool]) -> list[Received]:
    left: list[Received] = []
    keys: set[tuple[str, str]] = set()
    for each in received:
        place = (each.topic, each.key)
        if place in keys or not decide(each):
            keys.add(place)
            left.append(each)
    return left


Handler = Callable[[Work], Awaitable[Sequence[Outgoing]]]
"""One per service: load all keys in one statement, decide purely in a loop, save in one statement."""
