"""How do the figures of a run become a page for people?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import document, targets
from tests.bench.registry import WORKLOADS
from tests.bench.tables import cost
from tests.bench.targets import Target
from tests.bench.views import VIEWS

PAGE = Path("docs/performance.md")
FIGURES = PAGE.with_suffix("") / "bench.json"
HEAD = """\
# Performance: what was measured, and what was wanted

`make bench` measures these workloads on a real Kafka and a real PostgreSQL that syncs every commit, all on one machine
with the load that is put on them. After each run the tables are counted: a run that lost, doubled or anticipated
anything has no figure. *limit* is what the same machine does in the same run with the same bytes and rows and nothing
else (`tests/bench/limit.py` and the module of the workload); *ratio* is ours beside it, the median of the runs.

`make bench ARGS="W1 W5"` measures some of them, `ARGS=--quick` does less, `ARGS=--check` ends with status 1 when a
target is missed; `make bench ARGS=--report` adds what `build/bench.json` holds to
[what was measured before](performance/bench.json), and writes this page and its pictures. A change has to pass
`ARGS=--gate` (`.ci/run`): W4 and W5, judged by their ratios alone. What must not happen at all (a timer that fires
early, an SMS lost or doubled) has no bar below; the tables say it.
"""
PICTURES = {
    "promises": ("", "Each target as measured, beside what was promised"),
    "latency": ("", "How long it takes: half of all, 99 of 100, the last"),
    "w4_processor": ("W4", "Processor time of each process for one case"),
    "w4_work": ("W4cpu", "Processor time of each service for one case, by kind of work"),
    "w4p_peers": ("W4p", "Cases a second beside those of others, in the same run"),
}
"""By name: the section where it stands (none: the head), and what it shows."""
SERVERS = {"postgres": "PostgreSQL", "broker": "Kafka", "java": "Java"}
COLUMNS = "| figure | measured | least | most | runs | limit | ratio | wanted | reached |\n"
RULE = "| --- | --: | --: | --: | --: | --: | --: | --- | --- |\n"


def write(path: Path) -> None:
    """Write the page and its pictures from the document of the newest runs; PNGs stand beside that document.

    What was measured before, here or on another machine, is kept beside the page and stays on it.
    """
    from tests.bench.pictures import draw  # what it draws with is there for the bench only

    document.keep(FIGURES, json.loads(path.read_text("utf-8")))
    result = json.loads(FIGURES.read_text("utf-8"))
    PAGE.write_text(page(result), "utf-8")
    draw(result, PAGE.with_suffix(""), path.with_name(PAGE.stem))


def page(result: Mapping[str, Any]) -> str:
    """Return the page."""
    sections = [_section(name, result) for name in WORKLOADS if name in result["details"]]
    return "\n".join([HEAD, *_shown("", result), *sections, *_settings(result["environment"])])


def _shown(section: str, result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pictures of a section for which the result has values."""
    for name, (home, words) in PICTURES.items():
        if home == section and VIEWS[name](result):
            yield f"![{words}]({PAGE.stem}/{name}.svg)\n"


def _settings(environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was chosen for the servers, in the newest run."""
    chosen = {words: environment.get(f"{key}_settings") for key, words in SERVERS.items()}
    if any(chosen.values()):
        yield "## The servers\n\nWhat was chosen, and what durability rests on; everything else is as it comes."
        yield "PostgreSQL has files for its log before it is measured, as a server has after a while: until a new"
        yield "one has been made all commits wait, 40 to 60 ms here.\n"
    for words, settings in chosen.items():
        if settings:
            yield f"* {words}: {', '.join(f'`{name} = {value}`' for name, value in settings.items())}"


def _section(name: str, result: Mapping[str, Any]) -> str:
    environment = result["details"][name]["environment"]
    figures = {key: value for key, value in result["figures"].items() if key.startswith(f"{name}_")}
    rows = [row for key, figure in figures.items() for row in _rows(key, figure)]
    if "start_seconds" in environment:
        rows += _rows("start_seconds", {"product": environment["start_seconds"]})
    parts = [f"## {name}: {WORKLOADS[name].title}\n", f"{_where(environment)}\n", *_shown(name, result)]
    parts.append(f"{COLUMNS}{RULE}{''.join(rows)}")
    if "services" in result["details"][name]:
        parts.append(cost(result["details"][name]))
    if "notes" in result["details"][name]:
        parts.append("".join(f"* {note}\n" for note in result["details"][name]["notes"]))
    return "\n".join(parts)


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
        *(f"{words} {environment[key]}" for key, words in SERVERS.items() if key in environment),
        f"commit {environment.get('commit')}",
        f"{environment.get('measured_on')} UTC",
        f"load before {environment['load']}",
        *([f"of the processors {others}"] if others else []),
        *(["quick"] if environment.get("quick") else []),
    )
    return "; ".join(parts) + "."


def _rows(name: str, figure: Mapping[str, Any]) -> Iterator[str]:
    if "product" in figure:
        yield _row(name, figure, [(target, figure.get(target.part)) for target in targets.of(name)])
        return
    for part, value in figure.items():
        wanted = [(target, value) for target in targets.of(name) if target.part == part]
        if part not in {"runs", "max"} or wanted:
            extra = {"maximum": figure.get("max"), "runs": figure.get("runs")} if part == "p50" else {}
            yield _row(f"{name} {part}", {"product": value, **extra}, wanted)


def _row(name: str, figure: Mapping[str, Any], wanted: Sequence[tuple[Target, float | None]]) -> str:
    """Return one line; each target stands beside the number that it is about."""
    measured = [(target, value) for target, value in wanted if value is not None]
    reached = "yes" if all(target.is_reached(value) for target, value in measured) else "**no**"
    numbers = [_number(figure.get(part)) for part in ("product", "minimum", "maximum", "runs", "limit", "ratio")]
    words = "; ".join(target.words() for target, _ in wanted)
    return f"| {' | '.join([f'`{name}`', *numbers, words, reached if measured else ''])} |\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
