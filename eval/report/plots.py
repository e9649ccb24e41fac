"""Plots of the report as inline SVG: drawn in placeholder colours that become CSS variables, so that one drawing serves light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.patches
import numpy as np
from matplotlib.figure import Figure

# Drawn with, and what the page puts in their place (see report.html).
INK, SOFT, LINE, ACCENT, SECOND, THIRD, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606", "#070707"
COLOURS = {INK: "ink", SOFT: "soft", LINE: "line", ACCENT: "accent", SECOND: "second", THIRD: "third", PAPER: "card"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "waqia",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
HEADS = (("types", ACCENT), ("incidents", SECOND), ("participants", THIRD))
PANELS = 8  # types with a precision-recall panel of their own


def svg(figure: Figure) -> str:
    """The figure as an <svg> element that follows the page's colours."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r'font: ([\d.]+)px [^;"]*', r"font: \1px system-ui, sans-serif", text)
    head, rest = text.split(">", 1)
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest  # viewBox stays: the page decides how wide


def precision_recall(curves: Mapping[str, Any], types: Mapping[str, Any]) -> Figure | None:
    """Precision against recall for the types with most gold; None where no predictions give probabilities."""
    known = [name for name in sorted(types, key=lambda name: -types[name]["gold"]) if curves.get(name)][:PANELS]
    if not known:
        return None
    with mpl.rc_context(STYLE):
        rows = -(-len(known) // 4)
        figure = Figure(figsize=(9, 2.3 * rows), layout="constrained")
        axes = figure.subplots(rows, 4, sharex=True, sharey=True, squeeze=False).ravel()
        for ax, name in zip(axes, known, strict=False):
            curve, average = curves[name], types[name]["average_precision"]
            ax.step(curve["recall"], curve["precision"], where="post", color=ACCENT, linewidth=1.4)
            ax.set(xlim=(0, 1.01), ylim=(0, 1.03))
            ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
            ax.set_yticks((0, 0.5, 1), ("0", "0.5", "1"))
            ax.set_title(f"{name}  AP {average:.2f}", fontsize=8, loc="left")
        for ax in axes[len(known) :]:
            ax.set_visible(False)
        figure.supxlabel("recall", fontsize=9, color=SOFT)
        figure.supylabel("precision", fontsize=9, color=SOFT)
    return figure


def reliability(calibration: Mapping[str, Any]) -> Figure | None:
    """Said against right in ten bins for each head, with how many probabilities stand in each bin; None without probabilities."""
    known = [(name, colour) for name, colour in HEADS if calibration.get(name)]
    if not known:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3), layout="constrained")
        for ax, (name, colour) in zip(figure.subplots(1, len(known), squeeze=False)[0], known, strict=True):
            head = calibration[name]
            ax.plot((0, 1), (0, 1), color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
            middle = [(b["from"] + b["to"]) / 2 for b in head["bins"]]
            share = np.array([b["count"] for b in head["bins"]]) / head["count"]
            ax.bar(middle, share, 0.09, color=LINE)
            ax.plot([b["mean"] for b in head["bins"]], [b["right"] for b in head["bins"]], color=colour, marker="o", markersize=3.5)
            ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability said", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            ax.set_title(f"{name}  ECE {head['ece']:.3f}, n = {head['count']}", fontsize=8, loc="left")
            ax.set_ylabel("share right (line), of all (bars)" if name == known[0][0] else "")
    return figure


def confusion(cells: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Figure | None:
    """Gold labels down, predicted ones across, each last for nothing there, if there is any; numbers are counts. None without any."""
    names = [name for name in labels if any(name in (cell["gold"], cell["predicted"]) for cell in cells)]
    if not names:
        return None
    nothing = [None] * any(None in (cell["gold"], cell["predicted"]) for cell in cells)
    place: dict[str | None, int] = {name: n for n, name in enumerate([*names, *nothing])}
    counts = np.zeros((len(place), len(place)), int)
    for cell in cells:
        counts[place[cell["gold"]], place[cell["predicted"]]] = cell["count"]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        side = 1.6 + 0.31 * len(place)
        figure = Figure(figsize=(min(9, side + 1.2), min(8.4, side)), layout="constrained")
        ax = figure.subplots()
        for (row, column), count in np.ndenumerate(counts):
            if count:
                patch = mpl.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, color=ACCENT if row == column else SECOND)
                patch.set_alpha(0.12 + 0.78 * float(share[row, column]))
                ax.add_patch(patch)
                ax.text(column, row, str(count), ha="center", va="center", fontsize=7)
        ticks = range(len(place))
        shown = [name or "nothing" for name in place]
        ax.set_xticks(ticks, shown, rotation=90, fontsize=7)
        ax.set_yticks(ticks, shown, fontsize=7)
        ax.set(xlim=(-0.5, len(place) - 0.5), ylim=(len(place) - 0.5, -0.5), xlabel="predicted", ylabel="gold", aspect="equal")
    return figure


def effects(changes: Mapping[str, Mapping[str, Any]], figure_name: str) -> Figure | None:
    """What each change of the text does to a figure, with its interval; filled where the data can tell it from none."""
    rows = [(name, change[figure_name]) for name, change in changes.items() if change.get(figure_name)]
    if not rows:
        return None
    rows.sort(key=lambda row: row[1]["effect"], reverse=True)
    with mpl.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(9, 0.6 + 0.24 * len(rows)), layout="constrained")
        ax = figure.subplots()
        for place, (_, row) in enumerate(rows):
            low, high = row["interval"]
            colour = SECOND if row["decided"] and row["effect"] < 0 else ACCENT if row["decided"] else SOFT
            ax.plot((low, high), (place, place), color=colour, linewidth=1.2)
            ax.plot(row["effect"], place, "o", color=colour, markersize=5, markerfacecolor=colour if row["decided"] else PAPER)
        ax.axvline(0, color=SOFT, linewidth=0.8)
        ax.set_yticks(range(len(rows)), [name.replace("_", " ") for name, _ in rows])
        ax.set(xlabel=f"change of {figure_name}", ylim=(-0.7, len(rows) - 0.3))
    return figure


def learning_curve(curve: Mapping[str, Any]) -> Figure:
    """Figures against the number of training records on a log axis, with the fitted law dashed beyond what was trained."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        ax = figure.subplots()
        for (name, row), colour in zip(curve["figures"].items(), (ACCENT, SECOND, THIRD, INK), strict=False):
            sizes, values = curve["records"], row["values"]
            errors = np.abs(np.array(row["intervals"]).T - np.array(values))
            ax.errorbar(sizes, values, yerr=errors, color=colour, marker="o", markersize=4, linewidth=1.2, capsize=2)
            if row.get("law"):
                a, b, c = row["law"]
                more = np.geomspace(sizes[0], sizes[-1] * 4, 60)
                ax.plot(more, a - b * more ** (-c), color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
            ax.annotate(name, (sizes[-1], values[-1]), (9, 9), textcoords="offset points", color=colour, fontsize=8)
        ax.set_xscale("log")
        ticks = [*curve["records"], *(curve["records"][-1] * times for times in (2, 4))]
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
        ax.minorticks_off()
        ax.set(xlabel="training records", ylabel="F1", ylim=(0, 1))
    return figure


def engines(speed: Mapping[str, Any]) -> Figure:
    """Passages that each engine reads in a second of one core, a panel for each model: medians with least and most, times the pipeline."""
    with mpl.rc_context({**STYLE, "axes.grid.axis": "x"}):
        shapes = list(speed["shapes"].values())
        figure = Figure(figsize=(9, 0.9 + 0.26 * max(len(one["engines"]) for one in shapes)), layout="constrained")
        for ax, one in zip(figure.subplots(1, len(shapes), squeeze=False)[0], shapes, strict=True):
            rows = [(name, engine) for name, engine in one["engines"].items() if "unsupported" not in engine][::-1]
            for place, (name, engine) in enumerate(rows):
                rate = engine["passages_per_cpu_s"]
                colour = ACCENT if name.startswith("waqia") else SOFT
                ax.barh(place, rate["median"], 0.62, color=colour, alpha=0.75)
                ax.plot((rate["min"], rate["max"]), (place, place), color=INK, linewidth=0.8)
                times = f"{engine['times_pipeline']['median']:.1f}×, " if "times_pipeline" in engine else ""
                said = f"{times}{engine['share_of_limit']['median']:.0%}"
                ax.annotate(said, (rate["max"], place), (4, 0), textcoords="offset points", va="center", fontsize=7, color=SOFT)
            ax.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=7)
            ax.margins(x=0.22)
            ax.set_xlim(left=0)
            ax.set_xlabel("passages a second of one core")
            ax.set_title(f"{one['shape']['name']}: {one['shape']['layers']} × {one['shape']['width']}", fontsize=8, loc="left")
    return figure
