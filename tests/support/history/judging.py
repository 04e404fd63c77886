"""Which checks make a verdict?"""

from dataclasses import dataclass

from tests.support.history.causes import judge_causes
from tests.support.history.doors import judge_doors
from tests.support.history.findings import Verdict
from tests.support.history.followups import judge_followups
from tests.support.history.journal import judge_journal
from tests.support.history.model import History


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run allows."""

    late_seconds: float = 5.0
    """So long after its time a timer may be heard of; a fault adds its own length."""
    parked: int = 0
    """So many records were meant to end in the lots."""


def judge(history: History, bounds: Bounds | None = None) -> Verdict:
    """Return all that does not hold."""
    bounds = bounds or Bounds()
    verdict = Verdict()
    judge_journal(history, verdict)
    judge_doors(history, verdict)
    judge_causes(history, verdict)
    judge_followups(history, bounds.late_seconds, verdict)
    _judge_rest(history, bounds, verdict)
    return verdict


def _judge_rest(history: History, bounds: Bounds, verdict: Verdict) -> None:
    """At rest everything has been read, said and done (I8, I13)."""
    for (service, topic, partition), mark in history.tables.marks.items():
        end = history.ends.get((topic, partition), (0, 0))[1]
        if mark < end:
            verdict.add("unseen", f"{topic}/{partition}", f"{service} has not read its last {end - mark} records")
    for each in history.tables.waiting:
        if each.due_at < history.ended_at:
            late = history.ended_at - each.due_at
            verdict.add("stuck", f"{each.service}: {each.what} {each.id}", f"{late:.1f} s past its time")
    lot = [each for each in history.tables.parked if each.status in {"retry", "dead"}]
    for left in lot[bounds.parked :]:
        where = f"{left.service}: {left.topic}/{left.partition}@{left.offset}"
        verdict.add("stuck", where, f"parked ({left.status}): {left.reason}")
