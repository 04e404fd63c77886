"""How are the cases gone through, one by one, with what their tables say?

The runs bring every case up once, in the order of ids, which is the order of the router's table: page by page the two
are laid side by side. Cases in doubt are kept and looked at again at the end (``second_look``).
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

from services.cli.audit.casefile import CaseFile, case_file, judge
from services.cli.audit.findings import Finding, Findings
from services.cli.audit.journal import CHECK
from services.cli.audit.listeners import TAKES
from services.cli.audit.memories import check_memories
from services.cli.audit.runs import Fact, by_key
from services.cli.audit.snapshots import SNAPSHOT, later
from services.cli.audit.tables import PAGE, Stored, cases_between, cases_of, looking
from services.cli.audit.timers import TIMED, set_timers
from services.runtime.database import Connection

DOUBTS_MAX, DOUBTED_FACTS_MAX = 20_000, 400_000
"""Cases in doubt that are kept, and their facts, some 60 MB at most; beyond, the system moves too fast, or much is
broken."""
FACTS_MAX = 10_000
"""Pieces of a case that are put together, and pieces of all cases that are looked at together. Mostly it is a dozen."""
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(slots=True)
class Cases:
    """What was found about cases, and which of them need a second look."""

    dsn: str
    folder: Path
    now: datetime
    findings: Findings
    from_start: bool
    """Everything that was ever said has been read."""
    all_clocks: bool
    """And so has everything that followup ever told of clocks."""
    progress: Callable[[int], None]
    cases: int = 0
    duplicates: int = 0
    repaired: int = 0
    promises: Counter[str] = field(default_factory=Counter)
    clocks: int = 0
    doubtful: dict[UUID, list[Fact]] = field(default_factory=dict)
    _doubted_facts: int = 0
    _crowded: set[UUID] = field(default_factory=set)
    """Cases in more pieces than are put together."""

    async def go_through(self, runs: Sequence[Path]) -> None:
        """Look at every case."""
        facts, after = by_key(runs, self.folder), _FIRST
        async with AsyncExitStack() as stack:
            tables = {name: await stack.enter_async_context(looking(self.dsn, name)) for name in {*TIMED, *TAKES}}
            while batch := self._batch(facts):
                until = next(reversed(batch))
                await self._look(batch, tables, after, until)
                after = until
            if self.from_start:
                await self._look({}, tables, after, _LAST)

    def _batch(self, facts: Iterator[tuple[bytes, Iterable[Fact]]]) -> dict[UUID, list[Fact]]:
        """Return the next cases with what was said of them, as many as a page has and as can be held."""
        batch: dict[UUID, list[Fact]] = {}
        held = 0
        for key, found in islice(facts, PAGE):
            case_id = UUID(bytes=key)
            batch[case_id] = gathered(found)
            if len(batch[case_id]) > FACTS_MAX:
                batch[case_id] = []
                self._pass_over(case_id)
            held += len(batch[case_id])
            if held >= FACTS_MAX:
                break
        return batch

    def _pass_over(self, case_id: UUID) -> None:
        """Do not compare a case that somebody has told of without end: nobody could hold it."""
        self._crowded.add(case_id)
        problem = f"the journal and followups tell of it in more than {FACTS_MAX} pieces; it is not compared"
        advice = "somebody writes there who should not: `caseloop watch --case` shows what"
        self.findings.add(Finding(CHECK, f"case {case_id}", problem, advice, case_id))

    async def _look(
        self,
        batch: dict[UUID, list[Fact]],
        tables: Mapping[str, Connection],
        after: UUID,
        until: UUID,
    ) -> None:
        """Look at the cases of a batch, and at those that only the table knows."""
        files: list[CaseFile] = []
        unknown = set(batch) - self._crowded
        async for stored in self._stored(tables["router"], batch, after, until):
            if stored.case_id in self._crowded:
                continue
            unknown.discard(stored.case_id)
            files.append(self._file(stored.case_id, batch.get(stored.case_id, ()), stored))
            if len(files) >= 2 * PAGE:
                await self._judge(files, batch, tables)
                files = []
        files += [self._file(case_id, batch[case_id], None) for case_id in batch if case_id in unknown]
        await self._judge(files, batch, tables)

    async def _stored(
        self, router: Connection, batch: dict[UUID, list[Fact]], after: UUID, until: UUID
    ) -> AsyncIterator[Stored]:
        """Yield what the router holds: of all cases up to ``until``, or only of those that something was read about."""
        if self.from_start:
            async for stored in cases_between(router, after, until):
                yield stored
        else:
            for stored, _ in await cases_of(router, list(batch)):
                yield stored

    def _file(self, case_id: UUID, facts: Sequence[Fact], stored: Stored | None) -> CaseFile:
        return case_file(case_id, facts, stored, from_start=self.from_start)

    async def _judge(
        self, files: list[CaseFile], batch: dict[UUID, list[Fact]], tables: Mapping[str, Connection]
    ) -> None:
        await check_memories(files, {service: tables[service] for service in TAKES}, self.findings)
        set_ = await timers_of(files, tables)
        for file in files:
            judge(file, set_, self.now, whole=self.from_start, all_clocks=self.all_clocks)
            if not file.doubts.total:
                self.conclude(file)
            elif len(self.doubtful) < DOUBTS_MAX and self._doubted_facts < DOUBTED_FACTS_MAX:
                self.doubtful[file.case_id] = batch.get(file.case_id, [])
                self._doubted_facts += len(self.doubtful[file.case_id])
            else:
                self.conclude(file)
        self.progress(len(files))

    def conclude(self, file: CaseFile) -> None:
        """Count what the case has and keep what does not hold, doubts included."""
        if file.chain is not None:
            self.cases += 1
            self.duplicates += file.chain.duplicates
            self.repaired += file.chain.repaired
        self.clocks += len(file.promises.running)
        self.promises.update(file.ends)
        self.findings.join(file.findings)
        self.findings.join(file.doubts)


async def timers_of(files: Iterable[CaseFile], connections: Mapping[str, Connection]) -> set[UUID]:
    """Return which of the timers are set that these cases need."""
    found: set[UUID] = set()
    wanted = [timer for file in files for timer in file.timers]
    for service, connection in connections.items():
        ids = [timer_id for name, timer_id in wanted if name == service]
        if ids:
            found |= await set_timers(connection, ids)
    return found


def gathered(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts of a case, of its states only the last, and of many pieces one more than can be compared."""
    told: Fact | None = None
    others: list[Fact] = []
    for fact in facts:
        if fact[0] == SNAPSHOT:
            told = later(told, fact)
        elif len(others) <= FACTS_MAX:
            others.append(fact)
    return others if told is None else [*others, told]
