"""How do the figures of a run become a page for people?"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.registry import WORKLOADS
from tests.bench.targets import TARGETS, Target

PAGE = Path("docs/performance.md")
HEAD = """\
# Performance: what was measured, and what was wanted

`make bench` measures these workloads on a real Kafka and a real PostgreSQL that syncs every commit, all on one machine
with the load that is put on them. After each run the tables are counted: a run that lost, doubled or anticipated
anything has no figure. *limit* is what the same machine does in the same run with the same bytes and rows and nothing
else (`tests/bench/limit.py` and the module of the workload); *ratio* is ours beside it, the median of the runs.

`make bench ARGS="W1 W5"` measures some of them, `ARGS=--quick` does less, `ARGS=--check` ends with status 1 when a
target is missed; `python -m tests.bench --report` writes this page from `build/bench.json`.
"""
COLUMNS = "| figure | measured | least | most | runs | limit | ratio | wanted | reached |\n"
RULE = "| --- | --: | --: | --: | --: | --: | --: | --- | --- |\n"


def write(path: Path) -> None:
    """Write the page from the document of the newest runs."""
    PAGE.write_text(page(json.loads(path.read_text("utf-8"))), "utf-8")


def page(result: Mapping[str, Any]) -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_section(name, result) for name in WORKLOADS if name in result["details"])])


def _section(name: str, result: Mapping[str, Any]) -> str:
    environment = result["details"][name]["environment"]
    figures = {key: value for key, value in result["figures"].items() if key.startswith(f"{name}_")}
    rows = [row for key, figure in figures.items() for row in _rows(key, figure)]
    start = next(target for target in TARGETS if target.figure == "start_seconds")
    if "start_seconds" in environment:
        rows.append(_row("start_seconds", {"product": environment["start_seconds"]}, start))
    return f"## {name}: {WORKLOADS[name].title}\n\n{_where(environment)}\n\n{COLUMNS}{RULE}{''.join(rows)}"


def _where(environment: Mapping[str, Any]) -> str:
    """Return on what it was measured, and how much of the machine others had meanwhile."""
    others = ", ".join(
        f"{environment[key]} % {words}"
        for key, words in (("steal_percent", "stolen by the host"), ("others_percent", "used by other programs"))
        if key in environment
    )
    parts = (
        f"{environment['cores']} cores {environment.get('processor') or environment['machine']}",
        f"{environment.get('memory_gib')} GiB",
        f"Linux {environment.get('kernel')}",
        f"Python {environment['python']}",
        f"commit {environment.get('commit')}",
        f"{environment.get('measured_on')} UTC",
        f"load before {environment['load']}",
        *([f"of the processors {others}"] if others else []),
        *(["quick"] if environment.get("quick") else []),
    )
    return "; ".join(parts) + "."


def _rows(name: str, figure: Mapping[str, Any]) -> Iterator[str]:
    if "product" in figure:
        yield _row(name, figure, next((each for each in TARGETS if each.figure == name), None))
        return
    for part, value in figure.items():
        target = next((each for each in TARGETS if each.figure == name and each.part == part), None)
        if part not in {"runs", "max"} or target is not None:
            extra = {"maximum": figure.get("max"), "runs": figure.get("runs")} if part == "p50" else {}
            yield _row(f"{name} {part}", {"product": value, **extra}, target)


def _row(name: str, figure: Mapping[str, Any], target: Target | None) -> str:
    reached = "" if target is None else "yes" if target.is_reached(figure["product"]) else "**no**"
    numbers = [_number(figure.get(part)) for part in ("product", "minimum", "maximum", "runs", "limit", "ratio")]
    cells = [f"`{name}`", *numbers, target.words() if target else "", reached]
    return f"| {' | '.join(cells)} |\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
