"""Plots of the model card, as PNG: held-out predictions against measurements, and PE areas."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

from models.build import COMPONENTS
from models.crossover import crossover
from models.crossover_plot import draw_crossover
from models.element_card import element_size, elements
from models.fit import Fit
from models.validation import Residual
from rtl_gen.storage import MACRO

if TYPE_CHECKING:
    from characterize.sample import Sample

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

#: Plot -> (title, unit, the metrics drawn in it).
GROUPS = {
    "area": ("Area", "um²", ("area_um2",)),
    "leakage": ("Leakage", "mW", ("leakage_mw",)),
    "energy": ("Energy of a cycle, all events", "pJ", ("energy_pj",)),
    "period": ("Shortest clock period", "ns", ("min_period_ns",)),
}
#: Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = {
    "pe": "o",
    "node": "^",
    "row": "s",
    "bank": "D",
    "collector": "v",
    "controller": "P",
    "control": "X",
}


def draw(folder: Path, name: str, fit: Fit, samples: Sequence[Sample]) -> list[Path]:
    """Draw NAME-area.png, -leakage, -energy, -period, -pe and -crossover into `folder`."""
    arithmetics = sorted({row.arithmetic for row in fit.residuals})
    colours = {one: COLOURS[i % len(COLOURS)] for i, one in enumerate(arithmetics)}
    paths = []
    for group, (title, unit, heads) in GROUPS.items():
        rows = [row for row in fit.residuals if _is_total(row.metric, heads)]
        figure = _scatter(title, unit, rows, colours)
        paths.append(_save(figure, folder / f"{name}-{group}.png"))
    paths.append(_save(_elements(samples), folder / f"{name}-pe.png"))
    if (found := crossover(fit.model)) is not None:
        paths.append(draw_crossover(folder / f"{name}-crossover.png", found))
    return paths


def _is_total(metric: str, heads: Sequence[str]) -> bool:
    """Whether it is a sum over parts: `energy_pj.mac` is, `energy_pj.mac.clock` is not."""
    head, *rest = metric.split(".")
    return head in heads and len(rest) == (1 if head == "energy_pj" else 0)


def _scatter(title: str, unit: str, rows: Sequence[Residual], colours: dict[str, str]) -> Any:
    """Above, predicted against measured; below, the error, which the line above would hide."""
    figure, (axes, below) = plt.subplots(
        2, 1, figsize=(6, 7), layout="constrained", sharex=True, height_ratios=(3, 1)
    )
    known = [row for row in rows if row.predicted is not None]
    for kind, name in product(MARKERS, colours):
        points = [r for r in known if (COMPONENTS[r.component], r.arithmetic) == (kind, name)]
        actual = [row.actual for row in points]
        style = {"marker": MARKERS[kind], "facecolor": "none", "edgecolor": colours[name]}
        axes.scatter(actual, [row.predicted for row in points], s=20, linewidth=0.9, **style)
        below.scatter(actual, [row.percent for row in points], s=20, linewidth=0.9, **style)
    positive = [v for row in known for v in (row.actual, row.predicted or 0.0) if v > 0]
    if positive:
        low, high = min(positive) / 1.3, max(positive) * 1.3
        axes.plot([low, high], [low, high], color="0.6", linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    below.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    below.set(xlabel=f"measured, {unit}", ylabel="error, %")
    axes.set(title=f"{title}: held-out samples", ylabel=f"predicted, {unit}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if positive and high < 99 * low else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    for one in (axes, below):
        one.grid(visible=True, color="0.92", linewidth=0.6)
    _legends(axes, colours, {COMPONENTS[row.component] for row in known})
    return figure


def _legends(axes: Any, colours: dict[str, str], kinds: set[str]) -> None:
    named = [
        Line2D([], [], linestyle="", marker="s", color=colour, label=name)
        for name, colour in colours.items()
    ]
    shaped = [
        Line2D([], [], linestyle="", marker=marker, markerfacecolor="none", color="0.3", label=kind)
        for kind, marker in MARKERS.items()
        if kind in kinds
    ]
    first = axes.legend(handles=named, loc="upper left", fontsize="small", frameon=False)
    axes.add_artist(first)
    axes.legend(handles=shaped, loc="lower right", fontsize="small", frameon=False)


def _elements(samples: Sequence[Sample]) -> Any:
    """Bars of PE area, and of the energy of a multiply-accumulate: a bar a build, part on part."""
    chosen = elements(samples)
    names = sorted({one.arithmetic for of_build in chosen.values() for one in of_build})
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    width = 0.8 / max(len(chosen), 1)
    for number, of_build in enumerate(chosen.values()):
        places = [names.index(one.arithmetic) + (number + 0.5) * width - 0.4 for one in of_build]
        shade = 1 - 0.5 * number / max(len(chosen), 1)
        for axes, values in zip(
            panels,
            ([one.area_um2 for one in of_build], [one.energy_pj["mac"] for one in of_build]),
            strict=True,
        ):
            below = [0.0] * len(of_build)
            for colour, part in zip(COLOURS, ("datapath", "scratchpad", "clock"), strict=False):
                heights = [value.get(part, 0.0) for value in values]
                label = part if number == 0 and axes is panels[1] else None
                style = {"color": colour, "alpha": shade, "width": 0.9 * width}
                axes.bar(places, heights, bottom=below, label=label, **style)
                below = [low + more for low, more in zip(below, heights, strict=True)]
    sizes = {element_size(one) for of_build in chosen.values() for one in of_build}
    size = f" ({sizes.pop()} ifmap / weight / psum words)" if len(sizes) == 1 else ""
    figure.suptitle(f"Processing elements{size}")
    panels[0].set(title="area", ylabel="um²")
    panels[1].set(title="energy of a multiply-accumulate", ylabel="pJ")
    for axes in panels:
        axes.set_xticks(range(len(names)), names)
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].legend(frameon=False, fontsize="small")
    bare = {MACRO: " without its macros"}
    builds = "; ".join(f"{build}{bare.get(build.scratchpads, '')}" for build in chosen)
    figure.supxlabel(f"bars from left to right: {builds}", fontsize="small")
    return figure


def _save(figure: Any, path: Path) -> Path:
    # No software version in the file: the same fit gives the same bytes.
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
    return path
