"""Is the story of every case whole, in order, told once, and what was said (I5, I9)?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.router import verify_hash
from contracts.router.event import ZERO_HASH
from tests.support.history.findings import Verdict
from tests.support.history.model import History, Record

JOURNAL = "case.events"
_TOLD = {"version", "hash", "previous_hash", "occurred_at", "state"}
"""What differs between two events that say the same."""


@dataclass(slots=True)
class Story:
    """What was read of one case."""

    events: dict[int, Record] = field(default_factory=dict)
    """First appearance of each version."""
    highest: dict[int, int] = field(default_factory=dict)
    """The highest version so far, by partition."""
    early: list[Record] = field(default_factory=list)
    """First appearances behind a later version."""


def judge_journal(history: History, verdict: Verdict) -> None:
    """Add what does not hold on the journal."""
    stories: defaultdict[str, Story] = defaultdict(Story)
    for record in history.on(JOURNAL):
        verdict.events += 1
        case_id = str(record.data.get("case_id"))
        if record.data.get("version") is not None:
            _tell(stories[case_id], record, verdict)
        if record.key != case_id:
            verdict.add("forged", record.where, "its key is not its case")
    verdict.cases = len(stories)
    for case_id, story in stories.items():
        _judge_versions(case_id, story, verdict)
        _judge_chain(case_id, story, verdict)
        _judge_repetition(case_id, story, verdict)
    _judge_snapshots(history, stories, verdict)
    for service, versions in history.tables.versions.items():
        _compare(service, versions, stories, history, verdict)


def _tell(story: Story, record: Record, verdict: Verdict) -> None:
    version = int(record.data["version"])
    if not verify_hash(record.value):
        verdict.add("forged", record.where, "its hash is not that of its data")
    known = story.events.get(version)
    if known is not None:
        if known.value != record.value:
            verdict.add("doubled", record.where, f"a second version {version} of case {record.key}")
        return
    story.events[version] = record
    if version < story.highest.get(record.partition, 0):
        story.early.append(record)
    story.highest[record.partition] = max(version, story.highest.get(record.partition, 0))


def _judge_versions(case_id: str, story: Story, verdict: Verdict) -> None:
    for record in story.early:
        problem = f"version {record.data['version']} came behind a later one"
        verdict.add("reordered", f"case {case_id} {record.where}", problem)
    missing = sorted(set(range(1, max(story.events) + 1)) - set(story.events))
    if missing:
        verdict.add("gapped", f"case {case_id}", f"versions {missing} never came")


def _judge_chain(case_id: str, story: Story, verdict: Verdict) -> None:
    for version, record in story.events.items():
        before = story.events.get(version - 1)
        expected = ZERO_HASH if version == 1 else before.data["hash"] if before else None
        if expected is not None and record.data.get("previous_hash") != expected:
            verdict.add("forged", f"case {case_id} {record.where}", "previous_hash is not the hash of the event before")


def _judge_repetition(case_id: str, story: Story, verdict: Verdict) -> None:
    said: dict[tuple[str, str], int] = {}
    for version, record in story.events.items():
        content = str({name: value for name, value in record.data.items() if name not in _TOLD})
        first = said.setdefault((record.kind, content), version)
        if first != version:
            verdict.add("doubled", f"case {case_id} {record.where}", f"version {first} says the same of the same cause")


def _judge_snapshots(history: History, stories: Mapping[str, Story], verdict: Verdict) -> None:
    """The last snapshot of each case is of its last version, once nobody owes one."""
    last = {record.key: int(record.data["version"]) for record in history.on("case.snapshots")}
    owed = {each.id for each in history.tables.waiting if each.what == "snapshot"}
    for case_id, story in stories.items():
        told = max(story.events)
        if last.get(case_id, 0) != told and case_id not in owed and not _outbox_waits(history):
            verdict.add("lost", f"case {case_id}", f"its last snapshot is of version {last.get(case_id, 0)} of {told}")


def _compare(
    service: str, versions: Mapping[str, int], stories: Mapping[str, Story], history: History, verdict: Verdict
) -> None:
    """Compare what a service knows with what was told: the owner may know no more, a reader no less."""
    owner = service == "router"
    for case_id in versions.keys() | stories.keys():
        told = max(stories[case_id].events) if case_id in stories else 0
        known = versions.get(case_id, 0)
        if told == known or (owner and told < known and _outbox_waits(history)):
            continue
        if owner:
            verdict.add("lost", f"case {case_id}", f"its owner is at version {known}, the journal at {told}")
        elif known > told:
            verdict.add("lost", f"case {case_id}", f"{service} has read version {known}, the journal ends at {told}")
        elif not _behind(service, history):
            verdict.add(
                "skipped", f"case {case_id}", f"{service} knows version {known} of {told} and has read them all"
            )


def _outbox_waits(history: History) -> bool:
    return any(each.what == "outbox row" and each.service == "router" for each in history.tables.waiting)


def _behind(service: str, history: History) -> bool:
    return any(
        mark < history.ends.get((topic, partition), (0, 0))[1]
        for (reader, topic, partition), mark in history.tables.marks.items()
        if reader == service and topic == JOURNAL
    ) or any(each.service == service and each.status == "retry" for each in history.tables.parked)
