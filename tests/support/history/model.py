"""What is known of a run: what was sent, what stands on the topics, what was taken, what the tables say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Any

import orjson

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Something an outsider sent; ``acked`` is what the broker promised, without it both outcomes are right."""

    topic: str
    key: str
    id: str
    kind: str
    acked: bool


@dataclass(frozen=True)
class Record:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: str
    id: str
    kind: str
    source: str
    value: bytes

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """Return what it says; nothing when it cannot be read."""
        try:
            data = orjson.loads(self.value)
        except orjson.JSONDecodeError:
            return {}
        return data if isinstance(data, dict) else {}

    @property
    def cause(self) -> tuple[str, str]:
        """Return id and type of the message that led to it."""
        cause = self.data.get("cause") or {}
        return str(cause.get("id", "")), str(cause.get("type", ""))

    @property
    def where(self) -> str:
        """Return its place in words."""
        return f"{self.topic}/{self.partition}@{self.offset} {self.kind.removeprefix('caseloop.')}"

    def moment(self, name: str) -> float | None:
        """Return a moment of its data in seconds since 1970."""
        text = self.data.get(name)
        return datetime.fromisoformat(text).timestamp() if text else None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A message that the provider took."""

    reference: str
    to: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A record in the lot of a service."""

    service: str
    topic: str
    partition: int
    offset: int
    status: str
    reason: str

    @property
    def is_an_end(self) -> bool:
        """Whether the record needs no other effect; one that was retried has had its own."""
        return self.status not in {"retried", "no_effect"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a customer as notify remembers it."""

    id: str
    told: bool
    """Whether its fate is said on ``notifications``: greetings and messages without a case pass in silence."""
    state: str
    by_gateway: bool
    """Handed over to a gateway on ``channel.outbound`` instead of a provider."""
    cause_id: str
    """The message that led to it; nothing for a timer."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that a service has still to do: a timer, an outbox row, a delivery, an offer."""

    service: str
    what: str
    id: str
    due_at: float


@dataclass(frozen=True, slots=True)
class Tables:
    """What the services remember at the end."""

    marks: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    """(service, topic, partition) to the next record to be settled, for all that a service reads."""
    parked: Sequence[Parked] = ()
    versions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Service to case to the last version it knows, for those that follow every version."""
    deliveries: Sequence[Delivery] = ()
    standings: Mapping[str, float] = field(default_factory=dict)
    """Clock or delivery to the moment of its last step, as desk knows it."""
    waiting: Sequence[Waiting] = ()


@dataclass(frozen=True, slots=True)
class History:
    """All of it; records are in the order of their partitions."""

    sent: Sequence[Sent]
    records: Sequence[Record]
    ends: Mapping[Place, tuple[int, int]]
    """First and next offset of each partition when it was read."""
    accepted: Sequence[Acceptance]
    tables: Tables
    ended_at: float

    def on(self, *topics: str) -> Iterator[Record]:
        """Yield the records of these topics."""
        return (record for record in self.records if record.topic in topics)


def ordered(records: Iterable[Record]) -> list[Record]:
    """Return records in the order of their partitions."""
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def by_partition(records: Sequence[Record]) -> Iterator[tuple[Place, list[Record]]]:
    """Yield each partition with its records."""
    for place, some in groupby(records, key=lambda record: (record.topic, record.partition)):
        yield place, list(some)
