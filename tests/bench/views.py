"""What of a run does each picture show? Values only; ``pictures`` draws them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.profile import PARTS
from tests.bench.targets import TARGETS, Target

SPREAD = re.compile(r"(?P<stem>W\w+?)_(?P<part>p50|p99|max)_ms")
PEER = re.compile(r"W4p_(?P<peer>(?!product_(?!defaults_))\w+)_cases_per_second")
PRODUCT = ("W4p_product_cases_per_second", "W4p_product_to_plain_cases_per_second")
"""The product among them, the first that was measured."""
DEFAULTS = "_defaults"
"""At the end of the name of a peer that runs as its makers left it."""
ASIDE = ("_product_to_", f"{DEFAULTS}_")
"""In the name of a figure that sets another of the same run beside a peer's, or that is about a peer's defaults."""
SERVICES = ("intake", "router", "followup", "notify", "desk")
WAITS: Mapping[str, str] = {
    "W1_lateness": "100,000 timers due at once",
    "W2_lateness": "20,000 timers due in one instant",
    "W4_alone_assigned": "one case alone, until it has a handler",
    "W4_alone_closed": "one case alone, until it is closed",
    "W4p_product_half": "caseloop, at half its load",
    "W5_e2e": "an event, until its answer is read",
    "W9_offer": "a free place, until its offer",
}
"""What a reader calls that for which somebody waits; other figures go by their own names."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a picture: parts by name, in the unit of the picture."""

    title: str
    parts: Mapping[str, float]
    note: str = ""


View = Callable[[Mapping[str, Any]], Sequence[Row]]


def promises(result: Mapping[str, Any]) -> list[Row]:
    """Return for each target how many times as good as promised we are; a promise of none at all has no such number."""
    rows: list[Row] = []
    for target in TARGETS:
        value = target.value(result)
        if value and (bound := target.least or target.most):
            times = value / bound if target.least is not None else bound / value
            rows.append(Row(target.title, {"times": times}, f"{_said(value, target)}; {target.words()}"))
    return rows


def latencies(result: Mapping[str, Any]) -> list[Row]:
    """Return the percentiles, in milliseconds, of everything for which somebody waits."""
    found: dict[str, dict[str, float]] = {}
    for name, figure in result["figures"].items():
        spread = SPREAD.fullmatch(name)
        if any(words in name for words in ASIDE):
            continue
        if spread is not None and figure.get("product", 0) > 0:
            found.setdefault(spread["stem"], {})[spread["part"]] = figure["product"]
        elif "p50" in figure and name.endswith("_ms"):
            stem = name.removesuffix("_ms")
            found[stem] = {part: figure[part] for part in ("p50", "p99", "max") if figure.get(part)}
    return [Row(_waited(stem), parts) for stem, parts in found.items() if "p50" in parts]


def processor(result: Mapping[str, Any]) -> list[Row]:
    """Return what each process costs for a case of the closed loop, in milliseconds; one row."""
    spent = result["figures"].get("W4_cpu_ms_per_case", {})
    order = [*SERVICES, *sorted(spent.keys() - {*SERVICES, "sum"})]
    parts = {name: spent[name] for name in order if spent.get(name)}
    return [Row("", parts, f"{spent['sum']:g} ms")] if parts else []


def work(result: Mapping[str, Any]) -> list[Row]:
    """Return what each kind of work costs in each service for a case of the closed loop, in microseconds."""
    services = result["details"].get("W4cpu", {}).get("services", {})
    return [
        Row(name, {part: services[name][part] for part in PARTS}, f"{sum(services[name].values()):,} µs")
        for name in SERVICES
        if name in services
    ]


def beside(result: Mapping[str, Any]) -> list[Row]:
    """Return the cases a second of the product and of every peer, each with the least and the most of its runs."""
    peers = {name: figure for name, figure in result["figures"].items() if PEER.fullmatch(name)}
    ours = next((result["figures"][name] for name in PRODUCT if name in result["figures"]), None)
    if ours is None or not peers:
        return []
    named = [("product", ours), *sorted(peers.items(), key=lambda each: -each[1]["product"])]
    return [Row(_whose(name), _extent(figure), f"{figure['product']:,g}") for name, figure in named]


VIEWS: Mapping[str, View] = {
    "promises": promises,
    "latency": latencies,
    "w4_processor": processor,
    "w4_work": work,
    "w4p_peers": beside,
}
"""By the name of the picture's file."""


def _whose(name: str) -> str:
    return PEER.sub(r"\g<peer>", name).replace("product", "caseloop").replace(DEFAULTS, ", defaults")


def _extent(figure: Mapping[str, float]) -> dict[str, float]:
    value = figure["product"]
    return {"value": value, "least": figure.get("minimum", value), "most": figure.get("maximum", value)}


def _said(value: float, target: Target) -> str:
    return f"{value:,g} {target.unit}".strip()


def _waited(stem: str) -> str:
    workload, _, rest = stem.partition("_")
    return f"{workload}  {WAITS.get(stem, rest.replace('_half', ', at half its load').replace('_', ' '))}"
