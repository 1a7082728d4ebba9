"""Pictures of an exploration, as PNG bytes. The only file of this folder that draws."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from explore.cost import PARTS
from explore.pareto import front_mask
from explore.quantities import values
from explore.search import BEST, CLOUD, Exploration, Findings
from rtl_gen.formats import Arithmetic

#: Okabe and Ito's palette, told apart with every common kind of colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
PART_COLORS = dict(
    zip(
        PARTS,
        ("#D55E00", "#E69F00", "#009E73", "#0072B2", "#CC79A7", "#999999", "#DDDDDD", "#F0E442",
         "#56B4E9"),
        strict=True,
    )
)  # fmt: skip
#: Points of one PE type in one panel, at most; the fronts are always drawn from all of them.
MOST_POINTS = 5000
#: (x, y) of each panel, quantities of `CLOUD`.
PANELS = (("energy_mj", "perf_per_area"), ("latency_ms", "energy_mj"), ("area_mm2", "latency_ms"))
LABELS = {
    "energy_mj": "energy per inference (mJ)",
    "perf_per_area": "performance per area (inferences/s/mm²)",
    "latency_ms": "latency (ms)",
    "area_mm2": "area (mm²)",
}


def pareto_png(exploration: Exploration, findings: Findings) -> bytes:
    """All designs, each PE type's front in the two quantities of a panel, the overall front."""
    figure = Figure(figsize=(17, 5.8), layout="constrained")
    for axes, (x, y) in zip(figure.subplots(1, 3), PANELS, strict=True):
        for place, one in enumerate(exploration.space.arithmetics):
            if one.name in findings.cloud:
                _type(axes, findings, one, place, (x, y))
        for name, rows in findings.fronts.items():
            mask = findings.overall[name]
            axes.scatter(
                values(x, *rows)[mask], values(y, *rows)[mask],
                s=26, facecolors="none", edgecolors="black", linewidths=0.7, zorder=4,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel=LABELS[x], ylabel=LABELS[y])
        _ticks(axes)
    handles = [
        Line2D([], [], color=_color(place), marker=_marker(place), markersize=6, label=one.label)
        for place, one in enumerate(exploration.space.arithmetics)
        if one.name in findings.cloud
    ]
    names = ", ".join(one.name.replace("_", " ") for one in exploration.objectives)
    ring = Line2D([], [], marker="o", markerfacecolor="none", markeredgecolor="black", ls="")
    ring.set_label(f"on the front in {names}")
    figure.legend(handles=[*handles, ring], loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(
        f"{findings.workload.name} on {_technology(exploration)}: {findings.feasible:,} designs; "
        "lines join each PE type's best in the two quantities shown"
    )
    return _png(figure)


def _type(
    axes: Axes, findings: Findings, one: Arithmetic, place: int, panel: tuple[str, str]
) -> None:
    points = findings.cloud[one.name][:, [CLOUD.index(quantity) for quantity in panel]]
    some = points
    if len(points) > MOST_POINTS:
        some = points[np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)]
    color = _color(place)
    axes.scatter(some[:, 0], some[:, 1], s=3, color=color, alpha=0.18, linewidths=0, zorder=1)
    signs = np.array([BEST.get(quantity, 1) for quantity in panel])
    front = points[front_mask(points * signs)]
    front = front[np.argsort(front[:, 0])]
    axes.plot(
        front[:, 0], front[:, 1], color=color, marker=_marker(place), markersize=4.5,
        linewidth=1.4, zorder=3,
    )  # fmt: skip


def energy_png(exploration: Exploration, findings: Findings) -> bytes:
    """Where the energy of each PE type's most frugal design goes."""
    kinds = [one for one in exploration.space.arithmetics if one.name in findings.best]
    costs = [findings.best[one.name]["energy_mj"][1] for one in kinds]
    figure = Figure(figsize=(11, 1.7 + 0.62 * len(kinds)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(kinds))
    for part in PARTS:
        width = np.array([1e3 * cost.energy_by[part][0] for cost in costs])
        axes.barh(
            np.arange(len(kinds)), width, left=left, height=0.66, color=PART_COLORS[part],
            edgecolor="white", linewidth=0.6, label=part,
        )  # fmt: skip
        left += width
    for place, total in enumerate(left):
        axes.text(total, place, f"  {total:.3g} mJ", va="center")
    axes.set_yticks(np.arange(len(kinds)), [one.label for one in kinds])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.14 * float(left.max()))
    axes.set_xlabel(LABELS["energy_mj"])
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"{findings.workload.name} on {_technology(exploration)}: "
        "the design of least energy of each PE type"
    )
    figure.legend(loc="outside lower center", ncols=len(PARTS), frameon=False)
    return _png(figure)


def _technology(exploration: Exploration) -> str:
    return exploration.technology + " (memories scaled)" * bool(exploration.scaled)


def _ticks(axes: Axes) -> None:
    """Plain numbers (0.2, 50) at 1, 2 and 5 of each decade."""
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        decades = np.log10(limits[1] / limits[0])
        axis.set_major_locator(LogLocator(subs=_steps(float(decades))))
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#dddddd", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _steps(decades: float) -> Sequence[float]:
    return (1, 2, 5) if decades < 4 else (1,)


def _color(place: int) -> str:
    return PALETTE[place % len(PALETTE)]


def _marker(place: int) -> str:
    return MARKERS[place % len(MARKERS)]


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # No date or version inside: the same exploration gives the same bytes.
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()
