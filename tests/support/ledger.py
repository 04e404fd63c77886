"""How does a test or a measurement get very many whole cases: topics and tables that agree, without running anything?

Cases are written as the services would have left them: channel events, contacts, a chained journal, clocks, snapshots,
the router's rows, what the other services remember, followup's timers and the services' offsets. Every tenth case is
still open.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts import followup, intake, router
from contracts.case_number import case_number
from contracts.channel import MessageReceived
from contracts.message import Message, derived_id
from contracts.router.event import ZERO_HASH
from services.runtime import envelope, kafka
from services.runtime.settings import Settings
from tests.support.examples import MOMENT, example

CLOSED: Sequence[tuple[type[Message], str]] = (
    (router.CaseOpened, "queued"),
    (router.CaseFactsRecorded, "queued"),
    (router.CaseOffered, "offered"),
    (router.CaseAssigned, "assigned"),
    (router.PromiseMade, "assigned"),
    (router.CaseProgressed, "assigned"),
    (router.MilestoneReached, "assigned"),
    (router.PromiseKept, "assigned"),
    (router.CaseResolved, "solved"),
    (router.CaseClosed, "closed"),
)
OPEN: Sequence[tuple[type[Message], str]] = (
    *CLOSED[:-2],
    (router.CaseProgressed, "assigned"),
    (router.CaseProgressed, "assigned"),
)
EVENTS = len(CLOSED)
Row = tuple[object, ...]
ROUND = 1000
"""Cases whose events stand in turns on the journal."""
FAR = datetime(2099, 1, 1, tzinfo=UTC)
_ROUTER_COLUMNS = "case_id version state channel units points target_seconds aged_from band_floor queued_at body"
_INTAKE_COLUMNS = (
    "case_id version state case_number customer_id conversation_id category scenario severity safety opened_at"
)
_DESK_COLUMNS = "case_id version state case_number missing opened_at updated_at supervisor_needed cycle facts"


@dataclass(slots=True)
class Ledger:
    """Writes cases; ``name`` makes their ids."""

    settings: Settings
    dsn: str
    name: str
    partitions: int
    spoil: Callable[[str, bytes], bytes | None] = lambda _, value: value
    """What becomes of a record's value on its topic (the topic, the value); ``None`` keeps it from its topic."""
    recorded: bool = False
    """Whether desk has recorded the journal."""
    _producer: AIOKafkaProducer = None
    _batches: dict[tuple[str, int], BatchBuilder] = field(default_factory=dict)
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)
    _rows: list[Row] = field(default_factory=list)
    _cases: list[tuple[UUID, int, str, int]] = field(default_factory=list)
    """Cases with their version, state, and the version that intake heard of last."""
    _timers: list[Row] = field(default_factory=list)
    _timeline: list[Row] = field(default_factory=list)
    _templates: dict[type[Message], dict[str, Any]] = field(default_factory=dict)
    _headers: dict[type[Message], list[tuple[str, bytes]]] = field(default_factory=dict)

    def case_id(self, number: int) -> UUID:
        """Return the id of a case."""
        return derived_id(self.name, "case", number)

    async def write(self, cases: int) -> None:
        """Write so many cases to topics and tables, and let every service have settled them."""
        self._producer = kafka.producer(self.settings)
        await self._producer.start()
        connection = await asyncpg.connect(self.dsn)
        for begin in range(0, cases, ROUND):
            await self._round(range(begin, min(begin + ROUND, cases)))
            await self._store(connection)
        for place in list(self._batches):
            await self._flush(place)
        for service, topics in READ.items():
            places = [(*place, end) for place, end in self._ends.items() if place[0] in topics]
            await _copy(connection, service, "koff", "topic partition next_offset", places)
        await connection.close()
        await self._producer.stop()

    async def _round(self, numbers: Sequence[int]) -> None:
        """Say everything about these cases; events of different cases stand in turns."""
        heads = {number: (self.case_id(number), ZERO_HASH) for number in numbers}
        for number in numbers:
            for said in self._came_in(number, heads[number][0]):
                await self._say(*said)
        for place in range(EVENTS):
            for number, head in heads.items():
                heads[number] = await self._append(number, place, *head)
        for number, (case_id, digest) in heads.items():
            await self._say_clocks(number, case_id)
            state = "closed" if number % 10 else "assigned"
            self._rows.append(await self._stored(case_id, digest, state))
            self._cases.append((case_id, EVENTS, state, EVENTS if number % 10 else 1))
            if number % 10 == 0:
                self._timers.append((case_id, FAR, number + 1, "case_wake", str(case_id), "{}"))

    async def _append(self, number: int, place: int, case_id: UUID, previous: str) -> tuple[UUID, str]:
        """Say the next event of a case and return the head of its chain."""
        message, state = (OPEN if number % 10 == 0 else CLOSED)[place]
        value, digest = self._event(message, state, number, case_id, place + 1, previous)
        await self._say(message, str(case_id), value, derived_id(case_id, "version", place + 1))
        if self.recorded:
            self._timeline.append((case_id, place + 1, message.type, MOMENT, value))
        return case_id, digest

    async def _store(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Put what the services remember into their tables."""
        await _copy(connection, "router", "cases", _ROUTER_COLUMNS, self._rows)
        await self._store_cases(connection)
        await _copy(connection, "followup", "timers", "timer_id due_at generation kind key payload", self._timers)
        await _copy(connection, "desk", "timeline", "case_id version type occurred_at data", self._timeline)
        for rows in (self._rows, self._cases, self._timers, self._timeline):
            rows.clear()

    async def _store_cases(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Let the services that listen to the journal remember the cases."""
        intake, followup_, notify, desk = list[Row](), list[Row](), list[Row](), list[Row]()
        for case_id, version, state, heard in self._cases:
            number = case_number(case_id)
            judged = ("technical", "fault", "normal", False)
            intake.append((case_id, heard, state, number, case_id, number, *judged, MOMENT))
            followup_.append((case_id, version, "{}"))
            notify.append((case_id, version, state, "{}"))
            desk.append((case_id, version, state, number, 0, MOMENT, MOMENT, False, 1, "{}"))
        await _copy(connection, "intake", "cases", _INTAKE_COLUMNS, intake)
        await _copy(connection, "followup", "cases", "case_id version body", followup_)
        await _copy(connection, "notify", "cases", "case_id version state detail", notify)
        await _copy(connection, "desk", "cases", _DESK_COLUMNS, desk)

    def _came_in(self, number: int, case_id: UUID) -> Iterator[tuple[type[Message], str, bytes, object]]:
        conversation, event_id = f"{self.name}-{number}", f"{self.name}-event-{number}"
        said = self._data(MessageReceived) | {
            "channel": "chat", "conversation_id": conversation, "message_id": event_id,
        }  # fmt: skip
        yield MessageReceived, conversation, orjson.dumps(said), event_id
        understood = self._data(intake.ContactReceived)
        demand = {**understood["demands"][0], "case_id": str(case_id), "relation": "opens"}
        contact = {**understood, "cause": {"id": event_id, "type": MessageReceived.type}, "demands": [demand]}
        yield intake.ContactReceived, conversation, orjson.dumps(contact), derived_id(self.name, "contact", number)

    def _event(
        self, message: type[Message], state: str, number: int, case_id: UUID, version: int, previous: str
    ) -> tuple[bytes, str]:
        body = {
            **self._data(message),
            "case_id": str(case_id),
            "case_number": case_number(case_id),
            "version": version,
            "state": state,
            "previous_hash": previous,
        }
        del body["hash"]
        if version == 1:
            contact = str(derived_id(self.name, "contact", number))
            body["cause"] = {"id": contact, "type": intake.ContactReceived.type}
        if "promise_id" in body:
            body["promise_id"] = str(derived_id(case_id, "promise"))
        canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(canonical).hexdigest()
        return b'%b,"hash":"%b"}' % (canonical[:-1], digest.encode()), digest

    async def _say_clocks(self, number: int, case_id: UUID) -> None:
        promised = {"promise_id": str(derived_id(case_id, "promise")), "clock_id": str(derived_id(case_id, "p"))}
        resolution = {"clock_id": str(derived_id(case_id, "r")), "due_at": "2099-01-01T00:00:00Z"}
        steps: list[tuple[type[Message], dict[str, str]]] = [
            (followup.ClockStarted, resolution),
            (followup.ClockStarted, promised),
            (followup.ClockMet, promised),
        ]
        if number % 10:
            steps.append((followup.ClockMet, resolution))
        for place, (message, fields) in enumerate(steps):
            data = {**self._data(message), "case_id": str(case_id), **fields}
            if fields is resolution:
                data.pop("promise_id", None)
            await self._say(message, str(case_id), orjson.dumps(data), derived_id(case_id, "step", place))

    async def _stored(self, case_id: UUID, digest: str, state: str) -> Row:
        """Tell the latest state of a case and return its row."""
        number = case_number(case_id)
        snapshot = {
            **self._data(router.CaseSnapshot),
            "case_id": str(case_id),
            "case_number": number,
            "record_no": number,
            "version": EVENTS,
            "state": state,
            "hash": digest,
        }
        del snapshot["offer"]
        value = orjson.dumps(snapshot)
        await self._say(router.CaseSnapshot, str(case_id), value, derived_id(case_id, "snapshot", EVENTS))
        told = {"policy", "case_number", "record_no"}
        body = orjson.dumps({name: field for name, field in snapshot.items() if name not in told})
        return (case_id, EVENTS, state, "chat", 1, 0, 60, MOMENT, 0, MOMENT, body)

    def _data(self, message: type[Message]) -> dict[str, Any]:
        if message not in self._templates:
            said = example(message)
            self._templates[message] = orjson.loads(said.value())
            self._headers[message] = [
                (name, value)
                for name, value in envelope.seal(
                    said, message_id=UUID(int=0), source="caseloop/test", time=MOMENT, traceparent=None
                )
                if name not in {"ce_id", "ce_subject"}
            ]
        return self._templates[message]

    async def _say(self, message: type[Message], key: str, value: bytes, message_id: object) -> None:
        topic = "channel.chat" if message is MessageReceived else message.topic
        raw, spoilt = key.encode(), self.spoil(topic, value)
        if spoilt is None:
            return
        place = (topic, (murmur2(raw) & 0x7FFFFFFF) % self.partitions)
        headers = [*self._headers[message], ("ce_id", str(message_id).encode()), ("ce_subject", raw)]
        self._ends[place] = self._ends.get(place, 0) + 1
        for _ in range(2):
            batch = self._batches.setdefault(place, self._producer.create_batch())
            if batch.append(key=raw, value=spoilt, timestamp=None, headers=headers) is not None:
                return
            await self._flush(place)

    async def _flush(self, place: tuple[str, int]) -> None:
        topic, partition = place
        batch = self._batches.pop(place)
        await (await self._producer.send_batch(batch, self.settings.topic_prefix + topic, partition=partition))


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]",
    schema: str,
    table: str,
    columns: str,
    rows: Sequence[Row],
) -> None:
    await connection.copy_records_to_table(table, schema_name=schema, records=rows, columns=columns.split())


READ: Mapping[str, Sequence[str]] = {
    "intake": ("channel.chat", "case.events"),
    "router": ("contacts", "followups"),
    "followup": ("case.events", "contacts"),
    "notify": ("case.events",),
    "desk": ("case.events",),
}
"""Which service has settled which of these topics."""
