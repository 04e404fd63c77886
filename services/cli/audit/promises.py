"""Has every promise of a case an end or a clock (S2), and which clocks run?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from contracts.values import OVER
from services.cli.audit.chains import Chain
from services.cli.audit.findings import Finding, Findings
from services.cli.audit.runs import Fact

CHECK = "promise"
CLOCK = "clock"
LATE = timedelta(seconds=60)
"""So long after its time a promise may be without an end: the breach is on its way."""

_ENDED = {"promise_kept": "kept", "promise_breached": "breached"}
_CLOCK_ENDED = {"met": "kept", "breached": "breached", "cancelled": "cancelled"}
_CLOCK_RUNS = frozenset({"started", "resumed", "warned"})
_ADVICE_LOST = (
    "nobody watches it; promise anew: `caseloop command move_promise`, which starts a clock."
    " An audit cannot decide what the customer is told"
)
_ADVICE_LATE = "its clock should have breached: is followup running, is its timer set? See the timer findings"


@dataclass(slots=True)
class Promises:
    """The promises and clocks of one case."""

    case_id: UUID
    due: dict[str, datetime] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    clocks: set[str] = field(default_factory=set)
    """Promises whose clock has started and not ended."""
    seen: set[str] = field(default_factory=set)
    """Promises of whose clock followup told anything."""
    running: dict[str, str] = field(default_factory=dict)
    """Clocks that run towards a moment: their timer must be set."""

    def take_event(self, kind: str, promise_id: str, due_at: str) -> None:
        """Add an event of the journal."""
        if kind in _ENDED:
            self.ends[promise_id] = _ENDED[kind]
        else:
            self.due[promise_id] = datetime.fromisoformat(due_at)
            self.ends.pop(promise_id, None)

    def take_clock(self, step: str, clock_id: str, promise_id: str, due_at: str) -> None:
        """Add a step of a clock that followup told of."""
        if step in _CLOCK_RUNS and due_at:
            self.running[clock_id] = due_at
        else:
            self.running.pop(clock_id, None)
        if promise_id:
            self._take_promised(step, promise_id, due_at)

    def _take_promised(self, step: str, promise_id: str, due_at: str) -> None:
        self.seen.add(promise_id)
        if step in _CLOCK_ENDED:
            self.clocks.discard(promise_id)
            if not self._was_moved(promise_id, due_at):
                self.ends.setdefault(promise_id, _CLOCK_ENDED[step])
            return
        self.clocks.add(promise_id)
        if self.ends.get(promise_id) == "cancelled":  # moved: the old clock ended, the new one runs
            del self.ends[promise_id]

    def _was_moved(self, promise_id: str, due_at: str) -> bool:
        """Tell whether the clock that ended watched an earlier time of the promise."""
        due = self.due.get(promise_id)
        return due is not None and bool(due_at) and datetime.fromisoformat(due_at) < due

    def judge(self, findings: Findings, now: datetime, *, over: bool, all_clocks: bool = True) -> dict[str, int]:
        """Add what does not hold and return how many promises have which end.

        ``over`` says that the case has ended, ``all_clocks`` that all that followup ever told of clocks has been read:
        it is kept for a month, and a promise may have been made before.
        """
        counts: dict[str, int] = {}
        for promise_id, due_at in self.due.items():
            ending = self._ending(promise_id, over=over)
            if ending == "lost" and not all_clocks and promise_id not in self.seen:
                ending = "running"
            counts[ending] = counts.get(ending, 0) + 1
            where = f"case {self.case_id} promise {promise_id}"
            if ending == "lost":
                problem = "it has neither an end nor a clock"
                findings.add(Finding(CHECK, where, problem, _ADVICE_LOST, self.case_id))
            elif ending == "running" and due_at + LATE < now:
                problem = "its time has passed and it has no end"
                findings.add(Finding(CHECK, where, problem, _ADVICE_LATE, self.case_id))
        return counts

    def _ending(self, promise_id: str, *, over: bool) -> str:
        end = self.ends.get(promise_id)
        if end is None and promise_id in self.clocks:
            return "closed with its case" if over else "running"
        if end is not None and end != "cancelled":
            return end
        return "closed with its case" if over else "lost"


def promises_of(chain: Chain, clocks: Iterable[Fact]) -> Promises:
    """Return what the journal and the clocks say of the promises of a case."""
    promises = Promises(chain.case_id)
    for kind, promise_id, due_at in chain.promises:
        promises.take_event(kind, promise_id, due_at)
    for fact in sorted(clocks, key=_place):
        promises.take_clock(*fact[3:])
    return promises


def is_over(chain: Chain) -> bool:
    """Tell whether the case has ended, and its open promises with it."""
    return chain.state in OVER


def _place(fact: Sequence[int]) -> tuple[int, int]:
    return fact[1], fact[2]
