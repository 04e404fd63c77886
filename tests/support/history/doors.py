"""Has everything that came in exactly one effect, in the order in which it came (I1, I2)?"""

from collections import defaultdict
from collections.abc import Iterable

from contracts.topics import CHANNELS
from tests.support.history.findings import Kind, Verdict
from tests.support.history.journal import JOURNAL
from tests.support.history.model import History, Record

CHANNEL_TOPICS = tuple(f"channel.{name}" for name in CHANNELS)
COMMANDS = "case.commands"
UNDERSTOOD = frozenset(
    f"caseloop.channel.{name}.v1" for name in ("message_received", "email_received", "callback_requested")
)
"""What intake always has something to say about; the rest may be settled without a word."""
ELSEWHERE = frozenset({"caseloop.command.set_preference.v1", "caseloop.command.erase_customer.v1"})
"""Commands that are not about a case."""


def judge_doors(history: History, verdict: Verdict) -> None:
    """Add what does not hold between the outside, intake and the router."""
    _judge_sent(history, verdict)
    causes = {(record.cause[0], record.cause[1]) for record in history.on("contacts")}
    _judge_answered(history, "intake", _firsts(history, CHANNEL_TOPICS, UNDERSTOOD), causes, verdict)
    answers = {record.cause[0] for record in history.on(JOURNAL)}
    commands = [each for each in _firsts(history, (COMMANDS,), None) if each.kind not in ELSEWHERE]
    demands = [each for each in history.on("contacts") if each.data.get("demands") or each.data.get("demand")]
    _judge_answered(history, "router", [*commands, *demands], {(id_, "") for id_ in answers}, verdict)
    _judge_openings(history, verdict)
    _judge_order(history, verdict)


def _judge_sent(history: History, verdict: Verdict) -> None:
    """What the broker acknowledged must stand on its topic."""
    there = {(record.topic, record.id) for record in history.records}
    for sent in history.sent:
        if sent.acked and (sent.topic, sent.id) not in there:
            verdict.add("lost", f"{sent.topic} {sent.key} {sent.kind}", "acknowledged, and it does not stand there")


def _firsts(history: History, topics: Iterable[str], kinds: frozenset[str] | None) -> list[Record]:
    """Return the first record of each id that an outsider used; later ones are duplicates."""
    firsts: dict[tuple[str, str], Record] = {}
    for record in history.on(*topics):
        firsts.setdefault((record.source, record.id), record)
    return [record for record in firsts.values() if kinds is None or record.kind in kinds]


def _judge_answered(
    history: History, service: str, asked: Iterable[Record], answered: set[tuple[str, str]], verdict: Verdict
) -> None:
    """Each of these is answered, parked, or not yet read."""
    parked = {
        (each.topic, each.partition, each.offset)
        for each in history.tables.parked
        if each.service == service and each.is_an_end
    }
    waits = any(each.service == service and each.what == "outbox row" for each in history.tables.waiting)
    for record in asked:
        if {(record.id, record.kind), (record.id, "")} & answered:
            continue
        if (record.topic, record.partition, record.offset) in parked:
            continue
        mark = history.tables.marks.get((service, record.topic, record.partition), 0)
        kind: Kind = "unseen" if record.offset >= mark else "stuck" if waits else "lost"
        verdict.add(kind, f"{record.where} of {record.key}", f"{service} has said nothing about it")


def _judge_openings(history: History, verdict: Verdict) -> None:
    """A demand becomes one case."""
    opened: dict[str, str] = {}
    for record in history.on(JOURNAL):
        if record.kind == "caseloop.case.opened.v1":
            demand = str(record.data["demand"]["demand_id"])
            if opened.setdefault(demand, record.key) != record.key:
                verdict.add("doubled", record.where, f"its demand is already case {opened[demand]}")


def _judge_order(history: History, verdict: Verdict) -> None:
    """What was said in a conversation is understood in that order, as far as one channel tells."""
    places = {
        record.id: (record.topic, record.partition, record.offset)
        for record in reversed(_firsts(history, CHANNEL_TOPICS, UNDERSTOOD))
    }
    highest: defaultdict[tuple[str, str, int], tuple[str, int, int]] = defaultdict(lambda: ("", -1, -1))
    seen: set[str] = set()
    for record in history.on("contacts"):
        place = places.get(record.cause[0])
        if place is None or record.id in seen:
            continue
        seen.add(record.id)
        conversation = (record.key, place[0], place[1])
        if place < highest[conversation]:
            verdict.add("reordered", record.where, f"it answers {place}, behind an answer to a later one")
        highest[conversation] = max(place, highest[conversation])
