"""Does everything that was said have its cause, and every cause its effect once (I2, I3)?"""

from collections import Counter, defaultdict

from contracts.topics import TOPICS
from tests.support.history.findings import Verdict
from tests.support.history.journal import JOURNAL
from tests.support.history.model import History, Record, by_partition

_GONE_ON = frozenset({"sent", "delivered", "failed", "suppressed", "dropped"})
_SENT = frozenset({"sent", "delivered"})
_OTHERWISE = frozenset({JOURNAL, "channel.receipts"})
"""The journal has rules of its own; a provider tells the same twice with two moments, and readers take the first."""
_OURS = "caseloop/"


def judge_causes(history: History, verdict: Verdict) -> None:
    """Add what has no cause or too many effects, and what readers passed over."""
    _judge_offsets(history, verdict)
    _judge_identities(history, verdict)
    ids = {record.id for record in history.records}
    for record in history.records:
        cause_id, cause_type = record.cause
        ours = cause_type.startswith("caseloop.") and not cause_type.startswith("caseloop.timer.")
        if ours and record.source.startswith(_OURS) and cause_id not in ids:
            verdict.add("lost", record.where, f"its cause {cause_type} {cause_id} stands nowhere")
    for delivery in history.tables.deliveries:
        if delivery.cause_id and delivery.cause_id not in ids:
            verdict.add("lost", f"delivery {delivery.id}", f"its cause {delivery.cause_id} stands nowhere")
    _judge_readers(history, verdict)
    _judge_deliveries(history, verdict)
    _judge_provider(history, verdict)


def _judge_offsets(history: History, verdict: Verdict) -> None:
    """A topic that keeps everything has no holes and no missing end."""
    read = {place: {record.offset for record in records} for place, records in by_partition(history.records)}
    for (topic, partition), (first, following) in history.ends.items():
        if TOPICS[topic].compacted:
            continue
        missing = set(range(first, following)) - read.get((topic, partition), set())
        if missing:
            verdict.add("skipped", f"{topic}/{partition}", f"{len(missing)} not read, first {min(missing)}")


def _judge_identities(history: History, verdict: Verdict) -> None:
    """One id is one record; one content has one id."""
    known: dict[tuple[str, str, str], Record] = {}
    said: dict[tuple[str, str, str, str], str] = {}
    for record in history.records:
        first = known.setdefault((record.topic, record.source, record.id), record)
        verdict.repeats += first is not record and first.value == record.value
        if first.value != record.value and record.source.startswith(_OURS) and record.topic not in _OTHERWISE:
            verdict.add("doubled", record.where, f"a second record has the id {record.id} and says something else")
        if record.source.startswith(_OURS) and not TOPICS[record.topic].compacted:
            content = str({name: each for name, each in record.data.items() if name not in {"occurred_at", "at"}})
            same = said.setdefault((record.topic, record.key, record.kind, content), record.id)
            if same != record.id:
                verdict.add("doubled", record.where, f"{same} says the same of the same cause")


def _judge_readers(history: History, verdict: Verdict) -> None:
    """Notify has a message for each milestone, followup a clock for each case."""
    deliveries = {each.cause_id for each in history.tables.deliveries}
    clocks = {record.cause[0] for record in history.on("followups")}
    expected = {
        "caseloop.case.milestone_reached.v1": ("notify", deliveries),
        "caseloop.case.opened.v1": ("followup", clocks),
    }
    for record in history.on(JOURNAL):
        service, answered = expected.get(record.kind, ("", set()))
        if not service or record.id in answered:
            continue
        parked = any(
            (each.service, each.topic, each.partition, each.offset)
            == (service, record.topic, record.partition, record.offset)
            for each in history.tables.parked
            if each.is_an_end
        )
        if record.offset < history.tables.marks.get((service, JOURNAL, record.partition), 0) and not parked:
            verdict.add("skipped", record.where, f"{service} went past it without an effect")


def _judge_deliveries(history: History, verdict: Verdict) -> None:
    """What notify has done it has said, and what desk has read stands there."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    last: dict[str, float] = {}
    for record in history.on("followups", "notifications"):
        handle = str(record.data.get("delivery_id") or record.data.get("clock_id"))
        told[handle].add(record.kind.split(".")[2])
        last[handle] = max(last.get(handle, 0.0), record.moment("occurred_at") or 0.0)
    shown = {str(record.data.get("delivery_id")) for record in history.on("channel.outbound")}
    for each in history.tables.deliveries:
        if each.told and each.state in _GONE_ON and each.state not in told[each.id]:
            verdict.add("lost", f"delivery {each.id}", f"it is {each.state} and nobody was told")
        if each.by_gateway and each.state in _SENT and each.id not in shown:
            verdict.add("lost", f"delivery {each.id}", "it was handed over, and no gateway was asked")
    for handle, moment in history.tables.standings.items():
        if moment > last.get(handle, 0.0):
            verdict.add(
                "lost", f"followups or notifications of {handle}", "desk has read a step that does not stand there"
            )


def _judge_provider(history: History, verdict: Verdict) -> None:
    """A message is accepted once, for a delivery that we know, and no other is taken for sent."""
    taken = Counter(each.reference for each in history.accepted)
    same: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in history.accepted:
        same[each.to, each.text].add(each.reference)
    for reference in (each for each, count in taken.items() if count > 1):
        verdict.add("doubled", f"delivery {reference}", f"the provider accepted it {taken[reference]} times")
    for references in (each for each in same.values() if len(each) > 1):
        verdict.add("doubled", f"deliveries {sorted(references)}", "one customer got the same text for each")
    _judge_taken(history, set(taken), verdict)


def _judge_taken(history: History, taken: set[str], verdict: Verdict) -> None:
    known = {each.id for each in history.tables.deliveries}
    for reference in taken - known:
        verdict.add("lost", f"delivery {reference}", "the provider has it and notify does not know it")
    for delivery in history.tables.deliveries:
        if delivery.state in _SENT and not delivery.by_gateway and delivery.id not in taken:
            verdict.add("lost", f"delivery {delivery.id}", "it is taken for sent and the provider does not have it")
