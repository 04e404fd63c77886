"""What does a journal of one case look like, and what does the audit say of it?"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import orjson
from aiokafka import ConsumerRecord

from contracts import router
from contracts.message import derived_id
from contracts.router import seal
from contracts.router.event import ZERO_HASH
from services.cli.audit.chains import Chain, chain_of
from services.cli.audit.findings import Findings
from services.cli.audit.journal import REPAIR_HEADER, Journal
from services.cli.audit.runs import Fact, Sorter, by_key
from tests.support.examples import example

CASE = derived_id("a case of an audit")
Said = tuple[bytes, int, int] | bytes
"""The bytes of an event, its partition and its offset."""


def whole(length: int) -> list[bytes]:
    """Return the bytes of a chain."""
    previous, values = ZERO_HASH, []
    for version in range(1, length + 1):
        fields = {"case_id": CASE, "version": version, "previous_hash": previous}
        event = example(router.CaseProgressed).model_copy(update=fields)
        assert isinstance(event, router.CaseProgressed)
        value, previous = seal(event)
        values.append(value)
    return values


def record(value: bytes | None, offset: int, partition: int = 0, *, repaired: bool = False) -> "ConsumerRecord":
    """Return a record of ``case.events``."""
    headers = [("ce_type", b"caseloop.case.progressed.v1"), *([(REPAIR_HEADER, b"1")] if repaired else [])]
    key = str(CASE).encode()
    return ConsumerRecord("case.events", partition, offset, 0, 0, key, value, None, 0, 0, tuple(headers))


class Story:
    """What was read of the journal, and what the audit found in it."""

    def __init__(self, folder: Path, records: Sequence["ConsumerRecord"], *, from_start: bool = True) -> None:
        self.findings = Findings()
        self.cases, contacts = Sorter(folder, "cases"), Sorter(folder, "contacts")
        journals = {each.partition: Journal(each.partition, self.cases, contacts, self.findings) for each in records}
        for each in records:
            journals[each.partition].take([each])
        for journal in journals.values():
            journal.close()
        for sorter in (self.cases, contacts):
            sorter.close()
        self.events = sum(journal.events for journal in journals.values())
        self.contacts = [key for key, _ in by_key(contacts.runs, folder)]
        found = by_key(self.cases.runs, folder)
        self.facts: dict[UUID, list[Fact]] = {UUID(bytes=key): list(facts) for key, facts in found}
        self.chain = Chain(CASE)
        for case_id, facts in self.facts.items():
            self.chain = chain_of(case_id, facts, self.findings, from_start=from_start)
        self.duplicates = self.chain.duplicates + sum(journal.duplicates for journal in journals.values())

    @property
    def problems(self) -> list[str]:
        """Return what was found, in words."""
        return [finding.problem for finding in self.findings.listed]


def told(folder: Path, values: Sequence[bytes], *, from_start: bool = True) -> Story:
    """Return the story of events in one partition."""
    return Story(folder, [record(value, offset) for offset, value in enumerate(values)], from_start=from_start)


def changed(value: bytes, **fields: object) -> bytes:
    """Return the event with other members, as somebody would write it who cannot seal."""
    return orjson.dumps({**orjson.loads(value), **fields}, option=orjson.OPT_SORT_KEYS)
