"""Picture of what the scratchpads of a PE take by its weight words, for the model card."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from models.crossover import Crossover
from rtl_gen.storage import FLIPFLOP, GATED, LATCH, MACRO

#: Okabe and Ito's colours, which colour-blind readers can tell apart; a style a recipe.
COLOURS = {FLIPFLOP: "#0072B2", GATED: "#D55E00", LATCH: "#009E73", MACRO: "black"}
STYLES = {"fast": "-", "small": "--", "target": ":"}


def draw_crossover(path: Path, found: Crossover) -> Path:
    """Two panels, area and energy of a multiply-accumulate; a line a build."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    panels = figure.subplots(1, 2)
    quantities = (
        ("area, um²", found.area_um2),
        ("energy of a multiply-accumulate, pJ", found.mac_pj),
    )
    for axes, (title, lines) in zip(panels, quantities, strict=True):
        for label, values in lines.items():
            axes.plot(found.words, values, label=label, linewidth=1.5, **_style(found, label))
        axes.set(xscale="log", yscale="log", title=title, xlabel="weight words")
        axes.set_xlim(found.words[0], found.words[-1])
        axes.xaxis.set_major_locator(LogLocator(base=2))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, color="0.92", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    figure.suptitle(f"Scratchpads of a PE ({found.arithmetic}), by how they are built")
    # No software version in the file: the same fit gives the same bytes.
    figure.savefig(path, dpi=130, metadata={"Software": None})
    return path


def _style(found: Crossover, label: str) -> dict[str, str]:
    build = found.builds[label]
    return {"color": COLOURS[build.scratchpads], "linestyle": STYLES[build.recipe]}
