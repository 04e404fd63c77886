"""How do the figures of a run become pictures for people? Drawn for light pages and dark ones alike.

The same figures give the same SVG byte for byte: no dates, no random ids, text as text.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.views import VIEWS, Row

INK = "#7a7f87"
"""Of text and lines: as far from white as from black."""
GOOD, SHORT, OTHER = "#2a9d8f", "#e07a3f", "#9aa3ad"
COLOURS = ("#6f9bd1", "#4fb3a5", "#f0b44f", "#e07b78", "#b08fd8", "#8fcdc6", "#c9957b", "#b3bac2", "#dbb6cd")
ON_COLOUR = "#16191d"
"""Of text upon a coloured bar."""
STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "caseloop",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "legend.frameon": False,
}
WIDTH = 9.0
"""Inches; a page shows some 95 points of text across."""
PNG_DOTS = 160

Draw = Callable[[Axes, Sequence[Row]], None]


def draw(result: Mapping[str, Any], svg: Path, png: Path) -> None:
    """Write each picture that the result has values for: SVG for the page, PNG on white for slides and letters."""
    for folder in (svg, png):
        folder.mkdir(parents=True, exist_ok=True)
    for name, view in VIEWS.items():
        rows = view(result)
        if rows:
            with mpl.rc_context(dict(STYLE)):
                figure = _figure(name, rows)
                figure.savefig(svg / f"{name}.svg", metadata={"Date": None}, transparent=True)
                figure.savefig(png / f"{name}.png", dpi=PNG_DOTS, facecolor="white")


def _figure(name: str, rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.5 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    DRAWN[name](axes, rows)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=INK, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure


def _promises(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a bar from the promise to what was measured: to the right it is better than promised."""
    times = [row.parts["times"] for row in rows]
    places = range(len(rows))
    axes.barh(places, [each - 1 for each in times], left=1, height=0.55, color=[_judged(each) for each in times])
    for place, each in enumerate(times):
        _beside(axes, f"{each:.1f}×" if each >= 1 else f"{each:.2f}×", (each, place), to_the_left=each < 1)
    axes.axvline(1, color=INK, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xlim(min([0.5, *times]) / 1.6, max([2.0, *times]) * 1.3)
    marks = [0.1, 0.25, 0.5, 1, 2, 4, 10, 100]
    low, high = axes.get_xlim()
    shown = [mark for mark in marks if low <= mark <= high]
    axes.set_xticks(shown, [f"{mark:g}×" for mark in shown])
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    _named(axes, [f"{row.title}\n{row.note}" for row in rows])
    axes.set_xlabel("measured beside the promise (1×); to the right is better")


def _latencies(axes: Axes, rows: Sequence[Row]) -> None:
    marks = {"p50": ("o", "half of them within"), "p99": ("D", "99 of 100 within"), "max": ("|", "the last within")}
    for place, row in enumerate(rows):
        axes.plot([min(row.parts.values()), max(row.parts.values())], [place, place], color=INK, linewidth=1.5)
    for number, (part, (mark, words)) in enumerate(marks.items()):
        points = [(row.parts[part], place) for place, row in enumerate(rows) if part in row.parts]
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), mark, color=COLOURS[number], markersize=9, mew=2.5, ls="", label=words)
    for place, row in enumerate(rows):
        for value in dict.fromkeys((row.parts["p50"], max(row.parts.values()))):
            axes.annotate(f"{value:,g}", (value, place), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    _named(axes, [row.title for row in rows])
    axes.set_xlabel("milliseconds")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)


def _stacked(unit: str) -> Draw:
    def drawn(axes: Axes, rows: Sequence[Row]) -> None:
        parts = list(dict.fromkeys(part for row in rows for part in row.parts))
        places, ends = range(len(rows)), [0.0] * len(rows)
        widest = max(sum(row.parts.values()) for row in rows)
        for part, colour in zip(parts, COLOURS, strict=False):
            values = [row.parts.get(part, 0.0) for row in rows]
            bars = axes.barh(places, values, left=ends, height=0.62, color=colour, label=part)
            labels = [f"{value:.2g}" if value < 1 else f"{value:,.3g}" for value in values]
            shown = [label if value > 0.045 * widest else "" for label, value in zip(labels, values, strict=True)]
            axes.bar_label(bars, shown, label_type="center", color=ON_COLOUR, fontsize=9)
            ends = [end + value for end, value in zip(ends, values, strict=True)]
        for place, row in enumerate(rows):
            _beside(axes, row.note, (ends[place], place))
        axes.set_xlim(0, widest * 1.12)
        _named(axes, [row.title for row in rows])
        axes.set_xlabel(f"{unit} of processor time for each case")
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=5)

    return drawn


def _peers(axes: Axes, rows: Sequence[Row]) -> None:
    values = [row.parts["value"] for row in rows]
    below = [row.parts["value"] - row.parts["least"] for row in rows]
    above = [row.parts["most"] - row.parts["value"] for row in rows]
    colours = [GOOD, *[OTHER] * (len(rows) - 1)]
    style = {"ecolor": INK, "capsize": 4}
    axes.barh(range(len(rows)), values, height=0.6, color=colours, xerr=[below, above], error_kw=style)
    for place, row in enumerate(rows):
        _beside(axes, row.note, (row.parts["most"], place))
    axes.set_xlim(0, max(row.parts["most"] for row in rows) * 1.15)
    _named(axes, [row.title for row in rows])
    axes.set_xlabel("cases a second, each of five durable steps; the line: least and most of the runs")


def _judged(times: float) -> str:
    return GOOD if times >= 1 else SHORT


def _beside(axes: Axes, text: str, place: tuple[float, float], *, to_the_left: bool = False) -> None:
    """Write next to the end of a bar."""
    away, side = (-7, "right") if to_the_left else (7, "left")
    axes.annotate(text, place, (away, 0), textcoords="offset points", va="center", ha=side)


def _named(axes: Axes, titles: Sequence[str]) -> None:
    """Name the lines from the top down."""
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.45, -0.55)


DRAWN: Mapping[str, Draw] = {
    "promises": _promises,
    "latency": _latencies,
    "w4_processor": _stacked("milliseconds"),
    "w4_work": _stacked("microseconds"),
    "w4p_peers": _peers,
}
