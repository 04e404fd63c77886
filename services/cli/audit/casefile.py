"""Does everything agree that topics and tables say of one case?

What may still be on its way while the system runs is a doubt, not a finding: the case is looked at a second time, when
all that was on its way has arrived.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.cli.audit.chains import Chain, chain_of
from services.cli.audit.findings import Finding, Findings
from services.cli.audit.journal import SEGMENT
from services.cli.audit.promises import CLOCK, Promises, is_over, promises_of
from services.cli.audit.repairs import Repair, SetTimer, TellEvents, TellSnapshot
from services.cli.audit.runs import Fact
from services.cli.audit.snapshots import latest
from services.cli.audit.tables import Stored

TABLE_CHECK, SNAPSHOT_CHECK, TIMER_CHECK = "table", "snapshot", "timer"
_ADVICE_TABLE = (
    "the row in router.cases is not what the router wrote; the journal has the truth, see `caseloop watch --case`."
    " An audit does not write into the router's state: restore the row from a backup"
)
_ADVICE_UNTOLD = "`caseloop audit --repair` lets the router say it again if desk recorded it"


@dataclass(slots=True)
class CaseFile:
    """Everything about one case."""

    case_id: UUID
    chain: Chain | None
    promises: Promises
    snapshot: Fact | None
    stored: Stored | None
    to_be_told: bool = False
    """The router is about to tell its latest state."""
    seen: int = 0
    """The version up to which the journal had been read before the table was looked at."""
    findings: Findings = field(default_factory=Findings)
    """What certainly does not hold."""
    doubts: Findings = field(default_factory=Findings)
    """What does not hold unless it is on its way."""
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def timers(self) -> list[tuple[str, UUID]]:
        """Return which timers must be set, as service and id."""
        wanted = [("followup", self.case_id)] if self.promises.running else []
        if self.stored is not None and self.stored.offer_id is not None and self.stored.state == "offered":
            wanted.append(("router", self.stored.offer_id))
        return wanted


def case_file(case_id: UUID, facts: Sequence[Fact], stored: Stored | None, *, from_start: bool) -> CaseFile:
    """Return the file of a case."""
    findings = Findings()
    segments = [fact for fact in facts if fact[0] == SEGMENT]
    chain = chain_of(case_id, segments, findings, from_start=from_start) if segments else None
    told = chain or Chain(case_id)
    promises = promises_of(told, (fact for fact in facts if fact[0] == CLOCK))
    file = CaseFile(case_id, chain, promises, latest(facts), stored, findings=findings)
    file.seen = told.last
    return file


def judge(file: CaseFile, timers: Collection[UUID], now: datetime, *, whole: bool, all_clocks: bool = True) -> None:
    """Compare what the file holds; ``whole`` says that all that was ever said of the case has been read.

    ``all_clocks`` says the same of its clocks, of which is told on a topic that is not kept for ever.
    """
    over = file.chain is not None and is_over(file.chain)
    file.ends = Counter(file.promises.judge(file.doubts, now, over=over, all_clocks=all_clocks))
    for service, timer_id in file.timers:
        if timer_id not in timers:
            _timer(file, service, timer_id)
    if file.stored is not None:
        _compare_stored(file, file.stored, whole=whole)
    elif file.chain is not None:
        problem = f"the router's table does not know it; the journal has {file.chain.last} versions"
        _doubt(file, TABLE_CHECK, problem, _ADVICE_TABLE)


def _compare_stored(file: CaseFile, stored: Stored, *, whole: bool) -> None:
    if stored.problem is not None:
        _doubt(file, TABLE_CHECK, f"the router's table: {stored.problem}", _ADVICE_TABLE)
    if file.chain is not None:
        _compare(file, file.chain, stored)
    elif whole:
        repair = TellEvents(file.case_id, 1, stored.version)
        _doubt(file, TABLE_CHECK, "the journal has nothing of it; the router's table has", _ADVICE_UNTOLD, repair)
    if whole or file.chain is not None:
        _compare_snapshot(file, stored)


def _compare(file: CaseFile, chain: Chain, stored: Stored) -> None:
    if stored.version < file.seen:
        problem = f"the router's table has version {stored.version}, the journal version {file.seen}"
        _doubt(file, TABLE_CHECK, problem, _ADVICE_TABLE)
    elif stored.version > chain.last:
        problem = f"the journal ends with version {chain.last}, the router's table has version {stored.version}"
        repair = TellEvents(file.case_id, chain.last + 1, stored.version)
        _doubt(file, TABLE_CHECK, problem, _ADVICE_UNTOLD, repair)
    elif stored.digest is not None and not chain.has(stored.version, stored.digest):
        problem = f"the router's table holds another hash than the journal for version {stored.version}"
        _doubt(file, TABLE_CHECK, problem, _ADVICE_TABLE)
    elif stored.version == chain.last and stored.state != chain.state:
        problem = f"it is {stored.state} in the router's table, {chain.state} in version {chain.last} of the journal"
        _doubt(file, TABLE_CHECK, problem, _ADVICE_TABLE)


def _compare_snapshot(file: CaseFile, stored: Stored) -> None:
    if file.to_be_told or stored.problem is not None:
        return
    if file.snapshot is None or file.snapshot[3] < stored.version:
        told = "never" if file.snapshot is None else f"as of version {file.snapshot[3]}"
        problem = f"its state of version {stored.version} was not told; told last: {told}"
        advice = "`caseloop audit --repair` lets the router tell it again"
        _doubt(file, SNAPSHOT_CHECK, problem, advice, TellSnapshot(file.case_id))
    elif file.snapshot[3] == stored.version and file.snapshot[4] != stored.told:
        problem = f"the router's table and case.snapshots differ in what they say of version {stored.version}"
        _doubt(file, SNAPSHOT_CHECK, problem, _ADVICE_TABLE)


def _timer(file: CaseFile, service: str, timer_id: UUID) -> None:
    if service == "router":
        until = file.stored.offer_until if file.stored is not None else ""
        problem, repair = "its offer has no timer", SetTimer("router", "offer_expires", timer_id, file.case_id, until)
    else:
        clocks = len(file.promises.running)
        problem = f"{clocks} clock{'s' if clocks > 1 else ''} of it run and it has no timer"
        repair = SetTimer("followup", "case_wake", timer_id, file.case_id)
    _doubt(file, TIMER_CHECK, problem, "`caseloop audit --repair` sets it anew", repair)


def _doubt(file: CaseFile, check: str, problem: str, advice: str, repair: Repair | None = None) -> None:
    file.doubts.add(Finding(check, f"case {file.case_id}", problem, advice, file.case_id, None, repair))
