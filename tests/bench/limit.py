"""What could this machine do at best with the same bytes and the same durable rows?

The work that no correct inbox/outbox design avoids, each part measured raw and in the same run:

    T = consumed / K_c + decoded · V_d + encoded · V_e + rows / R_b + produced / K_p + decoded · F / b
    limit = min(cores / T, b / (F · busiest))

K_c, K_p   records consumed and produced a second: the captured keys, values and headers, one client, acks of all
V_d        opening a captured record for a service that wants it: headers, value, every rule of the contract
V_e        writing the value and the headers of a message
R_b        row operations a second on empty copies of the product's own tables with all their indexes: inbox, state,
           outbox, and the outbox's row again when it goes, b events in a transaction; the best b counts
F          one ``fdatasync`` of 8 KiB in the file system of the server's data
busiest    deliveries of the one service that has most of them: its transactions come one after the other

Counts are of one case (W4) or one event (W5). ``decoded`` are deliveries, a record once for each service that wants it;
all else of what is consumed is passed over by its headers. An event costs four row operations by that design (inbox,
state, outbox twice); where the product does with fewer the number that it does is taken, so that the limit stays above
what a design that saves rows can reach.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import uuid4

from contracts.message import Message
from contracts.registry import MESSAGES
from services.runtime import envelope
from services.runtime.frames import Frame, pack
from services.runtime.records import Record
from services.runtime.service import Service
from services.runtime.work import Received
from tests.bench import rawkafka, rawrows
from tests.bench.rawrows import Tables

FSYNC_SECONDS = 1.0
OLDEST = datetime.min.replace(tzinfo=UTC)
PACKED = 20
"""Records that share an outbox row."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of each kind of work one case or one event is."""

    consumed: float
    decoded: float
    encoded: float
    produced: float
    busiest: float
    changed: float | None = None
    """Rows that the product inserts, updates and deletes, where they were counted."""

    @property
    def rows(self) -> float:
        """Return the row operations that cannot be avoided."""
        designed = 2 * self.decoded + 2 * self.encoded
        return designed if self.changed is None else min(designed, self.changed)


@dataclass(frozen=True, slots=True)
class Sample:
    """The bytes of a real run, who reads them, and the tables that they change."""

    records: Sequence[Record]
    readers: Sequence[Service]
    tables: Tables


@dataclass(frozen=True, slots=True)
class Limit:
    """Raw rates, per second."""

    consume: float
    produce: float
    decode: float
    encode: float
    rows: rawrows.Rates
    commits: float
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)

    def seconds(self, counts: Counts) -> dict[str, float]:
        """Return the processor seconds of each part of T."""
        return {
            "consume": counts.consumed / self.consume,
            "decode": counts.decoded / self.decode,
            "encode": counts.encoded / self.encode,
            "rows": counts.rows / self.rows.best,
            "produce": counts.produced / self.produce,
            "sync": counts.decoded / (self.commits * self.rows.batch),
        }

    def per_second(self, counts: Counts) -> float:
        """Return the smaller of the two ceilings, that of the processors and that of the commits."""
        return min(self.cores / sum(self.seconds(counts).values()), self.commits * self.rows.batch / counts.busiest)

    def rates(self) -> dict[str, object]:
        """Return the raw rates by name."""
        names = ("consume", "produce", "decode", "encode", "commits")
        return {**{name: round(getattr(self, name)) for name in names}, "row_operations": self.rows.by_batch}


async def measure(bootstrap: str, dsn: str, scratch: Path, sample: Sample) -> Limit:
    """Measure on these bytes; ``scratch`` lies in the file system of the server's data."""
    produce, consume = await rawkafka.rates(bootstrap, sample.records)
    rows = await rawrows.rates(dsn, sample.tables, list(_shares(sample.records)))
    return Limit(consume, produce, _decode(sample), _encode(sample.records), rows, _commits(scratch))


def _shares(records: Sequence[Record]) -> Iterator[bytes]:
    """Yield what each record takes of the bytes that the product makes of many of them in its outbox."""
    for begin in range(0, len(records), PACKED):
        some = records[begin : begin + PACKED]
        row = pack(Frame(each.topic, each.key or b"", each.value or b"", _headers(each)) for each in some)
        size = ceil(len(row) / len(some))
        yield from (row[at : at + size] for at in range(0, size * len(some), size))


def _headers(record: Record) -> list[tuple[str, bytes]]:
    return [(name, value or b"") for name, value in record.headers]


def deliveries(sample: Sample) -> dict[str, int]:
    """Return how many of these records each service wants."""
    return {service.name: len(_wanted(service, sample.records)) for service in sample.readers}


def _wanted(service: Service, records: Sequence[Record]) -> list[Record]:
    names = {message.type.encode() for message in service.wants}
    return [r for r in records if r.topic in service.topics and dict(r.headers)["ce_type"] in names]


def _decode(sample: Sample) -> float:
    """Return how many deliveries a second are opened and validated, as the services' own contracts say."""
    opened, seconds = 0, 0.0
    for service in sample.readers:
        mine = _wanted(service, sample.records)
        open_record = envelope.opener(service.wants, service.reads)
        began = time.perf_counter()
        for record in mine:
            if not isinstance(open_record(record, OLDEST), Received):
                raise TypeError(record.topic)
        seconds += time.perf_counter() - began
        opened += len(mine)
    return opened / seconds


def _encode(records: Sequence[Record]) -> float:
    """Return how many messages a second are written, value and headers."""
    messages = [_message(record) for record in records if record.value is not None]
    now, message_id = datetime.now(UTC), uuid4()
    began = time.perf_counter()
    for message in messages:
        message.value()
        envelope.seal(message, message_id=message_id, source="caseloop/bench", time=now, traceparent=None)
    return len(messages) / (time.perf_counter() - began)


def _message(record: Record) -> Message:
    return MESSAGES[(dict(record.headers)["ce_type"] or b"").decode()].read(record.value or b"")


def _commits(scratch: Path) -> float:
    with NamedTemporaryFile(dir=scratch, prefix="fsync-") as file:
        began, number = time.perf_counter(), 0
        while time.perf_counter() - began < FSYNC_SECONDS:
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            number += 1
    return number / (time.perf_counter() - began)
