"""Does every timer fire once and in its time, and does each step follow the one before (I4)?"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.support.history.findings import Kind, Verdict
from tests.support.history.journal import JOURNAL
from tests.support.history.model import History, Record

_ENDED = frozenset({"met", "breached", "cancelled"})
_NEXT: Mapping[str, Mapping[str, frozenset[str]]] = {
    "clock": {
        "": frozenset({"started"}),
        "started": frozenset({"warned", "paused"}) | _ENDED,
        "warned": frozenset({"warned", "paused"}) | _ENDED,
        "paused": frozenset({"resumed"}) | _ENDED,
        "resumed": frozenset({"warned", "paused", "breached"}) | _ENDED,
        "met": frozenset({"started"}),
        "breached": frozenset({"started", "met", "cancelled", "paused", "resumed"}),
        "cancelled": frozenset({"started"}),
    },
    "callback": {
        "": frozenset({"scheduled"}),
        "scheduled": frozenset({"scheduled", "due", "completed", "exhausted", "cancelled"}),
        "due": frozenset({"attempted", "completed", "exhausted", "cancelled", "scheduled"}),
        "attempted": frozenset({"due", "completed", "exhausted", "cancelled", "scheduled"}),
        "completed": frozenset({"scheduled"}),
        "exhausted": frozenset({"scheduled"}),
        "cancelled": frozenset({"scheduled"}),
    },
    "survey": {
        "": frozenset({"sent"}),
        "sent": frozenset({"answered", "expired"}),
        "expired": frozenset({"answered"}),
    },
}
_RANKS = {"requested": 0, "deferred": 1, "unknown": 2, "sent": 3, "failed": 4, "delivered": 5}
DUE = {
    "caseloop.clock.breached.v1": "due_at",
    "caseloop.promise.breached.v1": "due_at",
    "caseloop.callback.due.v1": "not_before",
}
"""What a timer brings about, and where its time stands."""
_CALLED = frozenset({"completed", "exhausted", "cancelled"})
"""How a callback ends."""
_PASSED_OVER = _CALLED | {"due"}
"""What a new wish leaves behind: what has ended, and a call that is being placed."""
_ANEW = frozenset({"due", "cancelled"})
"""What comes next of one that was asked for anew when it had ended: its time, or the end of its case before that."""
EARLY_SECONDS = 0.001
"""Moments are kept to the microsecond and some are cut to the millisecond on their way."""


def judge_followups(history: History, late_seconds: float, verdict: Verdict) -> None:
    """Add what came early, late, twice, or out of turn."""
    wished = _wished(history)
    for handle, steps in _steps(history.on("followups"), ("clock_id", "callback_id", "survey_id")).items():
        _judge_story(handle, steps, wished[handle], verdict)
        _judge_running(handle, steps, history, late_seconds, verdict)
    for handle, steps in _steps(history.on("notifications"), ("delivery_id",)).items():
        _judge_ranks(handle, steps, verdict)
    opened = _opened(history)
    for record in _unrepeated(history.on("followups")):
        due = record.moment(DUE[record.kind]) if record.kind in DUE else None
        if due is not None:
            _judge_moment(record, due, opened.get(record.key, due), late_seconds, verdict)
        if record.kind == "caseloop.clock.warned.v1":
            _judge_share(record, verdict)
    _judge_pairs(history, verdict)
    _judge_offers(history, late_seconds, verdict)


def _opened(history: History) -> Mapping[str, float]:
    """Return since when each case is there: the greeting of a conversation may be due before it becomes a case."""
    opened: dict[str, float] = {}
    for record in history.on(JOURNAL):
        if record.kind == "caseloop.case.opened.v1":
            opened.setdefault(record.key, record.timestamp_ms / 1000)
    return opened


def _unrepeated(records: Iterable[Record]) -> list[Record]:
    firsts: dict[str, Record] = {}
    for record in records:
        firsts.setdefault(record.id, record)
    return list(firsts.values())


def _steps(records: Iterable[Record], names: Sequence[str]) -> Mapping[str, list[Record]]:
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in _unrepeated(records):
        for name in names:
            if name in record.data:
                found[str(record.data[name])].append(record)
    return found


def _wished(history: History) -> Counter[str]:
    """Return how often a customer or an agent asked for each callback: the journal says so, followup does not.

    There is one of a purpose: one that has ended begins anew when it is asked for again.
    """
    return Counter(
        str(record.data["callback_id"])
        for record in {record.id: record for record in history.on(JOURNAL)}.values()
        if record.kind == "caseloop.case.callback_scheduled.v1" and record.data["by"]["kind"] != "system"
    )


def _step(record: Record) -> tuple[str, str]:
    parts = record.kind.split(".")
    return parts[1], parts[2]


def _judge_story(handle: str, steps: Sequence[Record], wishes: int, verdict: Verdict) -> None:
    problem = _out_of_turn(steps, wishes)
    if problem is None:
        return
    in_time = sorted(steps, key=lambda record: record.moment("occurred_at") or 0.0)
    kind: Kind = "reordered" if in_time != list(steps) and _out_of_turn(in_time, wishes) is None else "gapped"
    verdict.add(kind, f"{problem.where} of {handle}", "it does not follow from the step before")


def _out_of_turn(steps: Sequence[Record], wishes: int) -> Record | None:
    state, percent = "scheduled" if wishes else "", 0
    for record in steps:
        what, step = _step(record)
        if wishes > 1 and step in _ANEW and state in _PASSED_OVER:
            state, wishes = "scheduled", wishes - 1
        if what in _NEXT and step not in _NEXT[what].get(state, frozenset()):
            return record
        if step == "warned" == state and record.data["percent"] < percent:
            return record
        state, percent = step, record.data.get("percent", 0)
    return None


def _judge_running(
    handle: str, steps: Sequence[Record], history: History, late_seconds: float, verdict: Verdict
) -> None:
    """A clock whose time has passed has an end."""
    what, step = _step(steps[-1])
    due = steps[-1].moment("due_at")
    if what == "clock" and step in {"started", "warned", "resumed"} and due and due + late_seconds < history.ended_at:
        verdict.add("lost", f"clock {handle} of case {steps[-1].key}", "its time has passed and nothing came of it")


def _judge_ranks(handle: str, steps: Sequence[Record], verdict: Verdict) -> None:
    highest = -1
    for record in steps:
        rank = _RANKS.get(_step(record)[1], highest)
        if rank < highest and not (highest == _RANKS["unknown"] and rank == _RANKS["deferred"]):
            verdict.add("reordered", f"{record.where} of {handle}", "its state went back")
        highest = max(rank, highest)


def _judge_moment(record: Record, due: float, opened: float, late_seconds: float, verdict: Verdict) -> None:
    said = record.moment("occurred_at") or 0.0
    if min(said, record.timestamp_ms / 1000 + EARLY_SECONDS) < due - EARLY_SECONDS:
        verdict.add("early", record.where, f"{due - said:.3f} s before its time")
    lateness = record.timestamp_ms / 1000 - max(due, opened)
    verdict.lateness_seconds.append(lateness)
    if lateness > late_seconds:
        verdict.add("late", record.where, f"{lateness:.1f} s after its time")


def _judge_share(record: Record, verdict: Verdict) -> None:
    target, percent = record.data["target_seconds"], record.data["percent"]
    if record.data["business_seconds"] < target * percent // 100 - 1:
        verdict.add("early", record.where, f"warned of {percent} % before they had gone")


def _judge_pairs(history: History, verdict: Verdict) -> None:
    """What the clock of a promise says, the promise says as well."""
    said = {
        (record.kind, record.data.get("promise_id"), record.data.get("percent"), record.cause[0])
        for record in history.on("followups")
    }
    for clock, promise in (("clock.warned", "promise.at_risk"), ("clock.breached", "promise.breached")):
        pair = {f"caseloop.{clock}.v1": f"caseloop.{promise}.v1", f"caseloop.{promise}.v1": f"caseloop.{clock}.v1"}
        for kind, promise_id, percent, cause in said:
            if promise_id and kind in pair and (pair[kind], promise_id, percent, cause) not in said:
                verdict.add("lost", f"{kind} of promise {promise_id}", f"{pair[kind]} of the same moment is not there")


def _judge_offers(history: History, late_seconds: float, verdict: Verdict) -> None:
    """An offer ends once: accepted, declined, withdrawn or expired, and expired not before its time (I7)."""
    offers: dict[str, Record] = {}
    ends: defaultdict[str, list[Record]] = defaultdict(list)
    over: set[str] = set()
    for record in _unrepeated(history.on(JOURNAL)):
        offer = record.data.get("offer_id")
        if record.kind == "caseloop.case.offered.v1":
            offers[str(offer)] = record
        elif offer is not None:
            ends[str(offer)].append(record)
        if record.data.get("state") in {"closed", "merged", "spam"}:
            over.add(record.key)
    for offer, record in offers.items():
        _judge_offer(record, ends[offer], verdict, ended_by=history.ended_at - late_seconds, over=record.key in over)


def _judge_offer(offer: Record, ends: Sequence[Record], verdict: Verdict, *, ended_by: float, over: bool) -> None:
    expires = offer.moment("expires_at") or 0.0
    if len(ends) > 1:
        verdict.add("doubled", offer.where, f"its offer ended {len(ends)} times")
    if not ends and not over and expires < ended_by:
        verdict.add("stuck", offer.where, "its offer has run out and did not end")
    for end in ends:
        if end.data.get("outcome") == "expired" and (end.moment("occurred_at") or 0.0) < expires - EARLY_SECONDS:
            verdict.add("early", end.where, "its offer had not run out")
