"""When is a row green, and how is the table of all rows written?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.guards import GUARDS, Guard
from tests.chaos.registry import Row, rows

PAGE = Path("docs/reliability.md")
ZERO = ("lost", "doubled", "disordered", "early", "late")
RECOVERY_SECONDS = 10.0
RATIO = 0.95
SUMMED = (*ZERO, "cases", "events", "repeats")
WORST_IS_MOST = ("backlog", "recovery_seconds", "seconds", "fault_seconds")
HEAD = """\
# Reliability: what is survived, and the proof

`make chaos` plays the rows of the fault matrix on a real Kafka, a real PostgreSQL and real processes, under load, with
`kill -9`. After each row a checker (`tests/support/history`) reads every record of every topic, everything the SMS
provider accepted, and the tables, and counts what was lost, doubled, out of order, early or late. It knows nothing of
how the product works; it finds every way to break a recorded history (`tests/chaos/test_checker.py`).

* *recovery*: seconds from the end of the fault until cases are closed at 95 % of the rate before it;
* *ratio*: the best two seconds of the ten after the fault, against the time before it (what had piled up comes on top);
* *backlog*: most cases that were open at a time;
* *repeats*: records that stand twice on a topic, byte for byte: readers recognise them, they have no second effect.

Rows with a name instead of a number stand beside the matrix:

* *overload*: first the row measures how many cases a second the machine handles (*usual*), then it sends 20 times as
  many events for a minute. Only those of the first six seconds are new contacts, each the work of a whole case: of
  nothing else, a minute would take 20 minutes to work off. The others are the same ones again and again, as a gateway
  repeats what it does not see acknowledged; each costs a look at the inbox. What waits must become less every ten
  seconds, a case must take no longer afterwards than before (by half, and half a second), and memory has bounds, seen
  each half second: 384 MiB for a service (100 when idle; a poll of at most 4,000 records and 8 MiB and the next one
  fetched; 4,096 cases kept; 8 MiB of outbox rows at a time), 768 for the broker (a heap of 512), 1,024 for PostgreSQL
  with all its processes. What waits stays in Kafka and PostgreSQL, so they do not depend on how much comes.
* *kafka-away*: the outboxes grow by what timers and a provider bring about. Rows a second count from the first row that
  leaves; *fresh* are contacts that come from the moment the brokers are back, while what has piled up is worked off.

`make chaos ARGS="--rows 1,2 --seeds 20"` plays some of them with more seeds; with `--short` the pace is not judged, and
so `.ci/run` plays all that have numbers. `python -m tests.chaos --report` writes this page from `build/chaos.json`.

| # | fault | seeds | cases | lost | doubled | disordered | early | late | recovery | ratio | backlog | repeats | also |
| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |
"""
GUARDS_HEAD = """
## Every protection is needed

A row proves something only if it turns red without the protection. `make chaos ARGS=--guards` takes each away, in
the running services only (`tests/chaos/guards.py`), and plays the row that must notice. Three are not in the table,
for no row notices that they are missing: the generation of a timer and the lease of a relay's bucket need moments
more exact than a row hits, and the look-up of an unknown outcome is covered by a provider that recognises a
reference. `tests/model` takes each away and shows the counterexample.

| protection | what it is | row | without it | first finding |
| --- | --- | --: | --- | --- |
"""
_COLUMNS = ("seeds", "cases", *ZERO, "recovery_seconds", "throughput_ratio", "backlog", "repeats")
_SILENT = {*_COLUMNS, "title", "findings", "slow", "events", "seconds", "fault_seconds"}


def is_green(result: Mapping[str, Any]) -> bool:
    """Tell whether a row holds all that it must."""
    recovery, ratio = result["recovery_seconds"], result["throughput_ratio"]
    recovered = recovery is not None and recovery <= RECOVERY_SECONDS and ratio >= RATIO
    return is_unharmed(result) and recovered and not result["slow"]


def is_unharmed(result: Mapping[str, Any]) -> bool:
    """Tell whether no case and no message came to harm, whatever the speed."""
    return not any(result[name] for name in ZERO)


def summed(row: Row, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one result of several runs: sums, and of speeds the worst."""
    result: dict[str, Any] = {**runs[-1], "title": row.title, "seeds": len(runs)}
    result |= {name: sum(run[name] for run in runs) for name in SUMMED}
    for name in WORST_IS_MOST:
        values = [run[name] for run in runs]
        result[name] = None if None in values else max(values)
    result["throughput_ratio"] = min(run["throughput_ratio"] for run in runs)
    for name in ("slow", "findings"):
        result[name] = [f"seed {run['seed']}: {said}" for run in runs for said in run[name]]
    del result["seed"]
    return result


def keep(path: Path, kind: str, name: str, result: Mapping[str, Any]) -> None:
    """Write a result beside those of the others of its kind."""
    path.parent.mkdir(exist_ok=True)
    document = json.loads(path.read_text("utf-8")) if path.exists() else {}
    document.setdefault(kind, {})[name] = result
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def write(path: Path) -> int:
    """Write the page; 1 when a row or a guard is missing."""
    document = json.loads(path.read_text("utf-8"))
    played, bare = document.get("rows", {}), document.get("guards", {})
    lines = [_line(row, played[row.number]) for row in rows() if row.number in played]
    guards = [_guard(guard, bare[guard.name]) for guard in GUARDS if guard.name in bare]
    PAGE.write_text("\n".join([HEAD + "\n".join(lines), GUARDS_HEAD + "\n".join(guards), ""]), "utf-8")
    return int(len(lines) < len(rows()) or len(guards) < len(GUARDS))


def _guard(guard: Guard, result: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{result[name]} {name}" for name in ZERO if result[name])
    first = result["findings"][0] if result["findings"] else ""
    return f"| {guard.name} | {guard.what} | {guard.row} | {counts or 'nothing'} | {first} |"


def _line(row: Row, result: Mapping[str, Any]) -> str:
    also = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.items() if name not in _SILENT)
    cells = [row.number, row.title, *(str(result[name]) for name in _COLUMNS), also]
    return f"| {' | '.join(cells)} |"
