"""What does one partition of ``case.events`` say? Hashes are checked here, and events become segments of chains.

A segment is a piece of a case's chain without a gap: the versions that follow each other in the order of the partition.
A whole case mostly is one segment; several are put together in ``chains``, whatever partition they came from.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.router.event import verify_hash
from services.cli.audit.findings import Finding, Findings, Spot
from services.cli.audit.listeners import LISTENERS
from services.cli.audit.runs import Fact, Sorter
from services.cli.reading import Record, header

CHECK = "chain"
SEGMENT = "segment"
TOLD = "told"
"""The journal names this contact as a cause."""
CASES_MAX = 100_000
"""Cases whose segments one reader holds, some 60 MB; then they are put down and the next events begin new segments."""
REPAIR_HEADER = "caseloop_repair"
"""A record with it was said again by an audit's repair; it may stand behind later versions of its case."""
MARK = 16
"""Bytes of each hash that are kept, to tell a repeat from a second story."""
DATED = ("promise_made", "promise_moved")
KEPT = (*DATED, "promise_kept", "promise_breached")

_BEFORE_HASH, _AFTER_HASH = b',"hash":"', b'"}'
_TAIL = len(_BEFORE_HASH) + 64 + len(_AFTER_HASH)
_ADVICE_BROKEN = (
    "only the router writes here: somebody or something else wrote or changed this record. What the router said stands"
    " in desk's timeline: `caseloop case show`. A topic cannot be rewritten: this cannot be repaired"
)
_ADVICE_HASH = (
    "somebody or something changed the record after the router sealed it; what the router said stands in"
    " desk's timeline: `caseloop case show`. A topic cannot be rewritten: this cannot be repaired"
)


@dataclass(slots=True)
class Segment:
    """A piece of a chain, as far as it has been read."""

    offset: int
    first: int
    previous: str
    """``previous_hash`` of its first event."""
    repaired: bool
    marks: bytearray = field(default_factory=bytearray)
    """The first bytes of each hash, one behind the other."""
    last: str = ""
    state: str = ""
    promises: list[tuple[str, str, str]] = field(default_factory=list)
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Service to version and offset of the last event that it remembers."""

    @property
    def following(self) -> int:
        """Return the version that comes next."""
        return self.first + len(self.marks) // MARK

    def fact(self, partition: int) -> Fact:
        """Return it as it is put down."""
        return (
            SEGMENT,
            self.first,
            partition,
            self.offset,
            self.previous,
            bytes(self.marks),
            self.last,
            self.state,
            self.promises,
            self.repaired,
            self.taken,
        )


class Journal:
    """Reads one partition of the journal in order."""

    __slots__ = ("_cases", "_chains", "_contacts", "_findings", "_partition", "duplicates", "events", "without_case")

    def __init__(self, partition: int, chains: Sorter, contacts: Sorter, findings: Findings) -> None:
        """Begin before its first event."""
        self._partition = partition
        self._chains = chains
        self._contacts = contacts
        self._findings = findings
        self._cases: dict[str, Segment] = {}
        self.events = 0
        self.duplicates = 0
        self.without_case = 0
        """Refusals of commands to cases that never were: they have no version."""

    def take(self, records: Sequence[Record]) -> None:
        """Add the next records."""
        for record in records:
            self.take_one(record)
        if len(self._cases) > CASES_MAX:
            self.close()

    def close(self) -> None:
        """Put down every segment that is held."""
        for case_id, segment in self._cases.items():
            self._chains.add(UUID(case_id).bytes, segment.fact(self._partition))
        self._cases.clear()

    def take_one(self, record: Record) -> None:
        """Add the next event."""
        value, key = record.value or b"", record.key
        try:
            data = orjson.loads(value)
            case_id, version = data["case_id"], data.get("version", 0)
            cause_id, cause_type = data["cause"]["id"], data["cause"]["type"]
            if case_id not in self._cases:
                UUID(case_id)
            from_contact = cause_type.startswith("caseloop.contact.")
            well_formed = version >= 1 or ("version" not in data and "hash" not in data)
        except (ValueError, KeyError, TypeError, AttributeError):
            well_formed = from_contact = False
        if not well_formed:
            self._broken(record, _named(key), "not an event of a case", _ADVICE_BROKEN)
            return
        self.events += 1
        if key != case_id.encode():
            self._broken(record, case_id, "its key is not its case", "only the router may write to case.events")
        if from_contact:
            self._contacts.add(identity(cause_id), (TOLD,))
        if not version:
            self.without_case += 1
        else:
            self._link(record, data, case_id, version)

    def _link(self, record: Record, data: dict[str, Any], case_id: str, version: int) -> None:
        claimed = str(data.get("hash"))
        if not holds(record.value or b""):
            self._broken(record, case_id, f"version {version}: its hash is not that of its data", _ADVICE_HASH)
        segment = self._cases.get(case_id)
        if segment is None:
            segment = self._begin(record, data, case_id, version)
        elif version != segment.following:
            if self._is_repeat(segment, record, case_id, version, claimed):
                return
            self._chains.add(UUID(case_id).bytes, segment.fact(self._partition))
            segment = self._begin(record, data, case_id, version)
        elif data.get("previous_hash") != segment.last:
            problem = f"version {version}: its previous_hash is not the hash of the event before it"
            self._broken(record, case_id, problem, _ADVICE_HASH)
        segment.marks += mark(claimed)
        segment.last, segment.state = claimed, str(data.get("state"))
        _take(segment, record, version)
        if not _promise(segment, record, data):
            self._broken(record, case_id, f"version {version}: what it promises has no time", _ADVICE_BROKEN)

    def _begin(self, record: Record, data: dict[str, Any], case_id: str, version: int) -> Segment:
        repaired = version > 1 and header(record, REPAIR_HEADER) is not None
        segment = Segment(record.offset, version, str(data.get("previous_hash")), repaired)
        self._cases[case_id] = segment
        return segment

    def _is_repeat(self, segment: Segment, record: Record, case_id: str, version: int, claimed: str) -> bool:
        """Judge an event that was there before: the very same is a repeat, anything else is a second story."""
        if not segment.first <= version < segment.following:
            return False
        at = (version - segment.first) * MARK
        if segment.marks[at : at + MARK] == mark(claimed):
            self.duplicates += 1
        else:
            self._broken(record, case_id, f"two different events have version {version}", _ADVICE_HASH)
        return True

    def _broken(self, record: Record, case_id: str | None, problem: str, advice: str) -> None:
        spot = Spot("case.events", self._partition, record.offset)
        known = UUID(case_id) if case_id else None
        where = f"case {case_id} ({spot})" if case_id else str(spot)
        self._findings.add(Finding(CHECK, where, problem, advice, known, spot))


def _take(segment: Segment, record: Record, version: int) -> None:
    """Note which services must remember this version."""
    kind = next((value for name, value in record.headers if name == "ce_type"), b"")
    at = version, record.offset
    for service in LISTENERS.get(kind, ()):
        segment.taken[service] = at


def _promise(segment: Segment, record: Record, data: dict[str, Any]) -> bool:
    """Add what the event says of a promise, and tell whether it could be read."""
    if "promise_id" in data:
        kind = (header(record, "ce_type") or "").removeprefix("caseloop.case.").removesuffix(".v1")
        due_at = str(data.get("due_at", ""))
        if kind in DATED and not is_moment(due_at):
            return False
        if kind in KEPT:
            segment.promises.append((kind, str(data["promise_id"]), due_at))
    return True


def is_moment(text: str) -> bool:
    """Tell whether this names a moment, whatever somebody wrote there."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def holds(value: bytes) -> bool:
    """Tell whether the hash in these bytes is that of the rest.

    The router writes the canonical form with ``hash`` as its last member (ADR 0005): what stands before it is hashed as
    it is. Whoever writes otherwise is read, brought into the canonical form and hashed then.
    """
    if value[-_TAIL:-66] == _BEFORE_HASH:
        digest = hashlib.sha256(value[:-_TAIL])
        digest.update(b"}")
        if digest.hexdigest().encode() == value[-66:-2]:
            return True
    return verify_hash(value)


def mark(claimed: str) -> bytes:
    """Return the part of a hash by which events are compared."""
    try:
        return bytes.fromhex(claimed[: 2 * MARK]).ljust(MARK, b"\0")
    except ValueError:
        return hashlib.sha256(claimed.encode()).digest()[:MARK]


def _named(key: bytes | None) -> str | None:
    """Return the case that a record's key names."""
    try:
        return str(UUID((key or b"").decode()))
    except ValueError:
        return None


def identity(cause_id: object) -> bytes:
    """Return the key of a message id, whatever somebody wrote there."""
    try:
        return UUID(str(cause_id)).bytes
    except ValueError:
        return hashlib.sha256(str(cause_id).encode()).digest()[:16]
