"""Has every promise an end or a clock (S2)?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.cli.audit.findings import Findings

CHECK = "promise"
LATE_SECONDS = 60.0
"""So long after its time a promise may be without an end: the breach is on its way."""

_MADE = frozenset({"caseloop.case.promise_made.v1", "caseloop.case.promise_moved.v1"})
_ENDED = {"caseloop.case.promise_kept.v1": "kept", "caseloop.case.promise_breached.v1": "breached"}
_OVER = frozenset({"closed", "merged", "spam"})
_CLOCK_ENDED = {
    "caseloop.clock.met.v1": "kept",
    "caseloop.clock.breached.v1": "breached",
    "caseloop.clock.cancelled.v1": "cancelled",
}
_CLOCK = "caseloop.clock."


@dataclass(slots=True)
class Promises:
    """Every promise that the journal tells of."""

    due: dict[tuple[str, str], datetime] = field(default_factory=dict)
    ends: dict[tuple[str, str], str] = field(default_factory=dict)
    clocks: set[tuple[str, str]] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    """Cases that have ended, and their open promises with them."""

    def take_event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Add an event of the journal."""
        case_id = str(data.get("case_id"))
        if data.get("state") in _OVER:
            self.over.add(case_id)
        elif data.get("version") is not None:
            self.over.discard(case_id)
        if kind in _MADE:
            promise = (case_id, str(data["promise_id"]))
            self.due[promise] = datetime.fromisoformat(data["due_at"])
            self.ends.pop(promise, None)
        elif kind in _ENDED:
            self.ends[(case_id, str(data["promise_id"]))] = _ENDED[kind]

    def take_clock(self, kind: str, data: Mapping[str, Any]) -> None:
        """Add a step of a clock that followup told of."""
        if not kind.startswith(_CLOCK) or not data.get("promise_id"):
            return
        promise = (str(data["case_id"]), str(data["promise_id"]))
        if kind in _CLOCK_ENDED:
            self.clocks.discard(promise)
            self.ends.setdefault(promise, _CLOCK_ENDED[kind])
        else:
            self.clocks.add(promise)
            if self.ends.get(promise) == "cancelled":  # moved: the old clock ended, the new one runs
                del self.ends[promise]

    def judge(self, findings: Findings, now: datetime) -> dict[str, int]:
        """Add what does not hold and return how many promises have which end."""
        counts: dict[str, int] = {}
        for promise, due_at in self.due.items():
            ending = self._ending(promise)
            counts[ending] = counts.get(ending, 0) + 1
            where = f"case {promise[0]} promise {promise[1]}"
            if ending == "lost":
                findings.add(CHECK, where, "it has neither an end nor a clock")
            elif ending == "running" and due_at + timedelta(seconds=LATE_SECONDS) < now:
                findings.add(CHECK, where, "its time has passed and it has no end")
        return counts

    def _ending(self, promise: tuple[str, str]) -> str:
        if promise in self.clocks and promise not in self.ends:
            return "closed with its case" if promise[0] in self.over else "running"
        if promise in self.ends and self.ends[promise] != "cancelled":
            return self.ends[promise]
        if promise[0] in self.over:
            return "closed with its case"
        return "lost"
