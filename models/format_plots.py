"""The picture of `quidam formats`: area and energy of every arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

#: Title of a panel -> the parts that are stacked in it, and what their unit is divided by.
PANELS: dict[str, tuple[tuple[str, ...], float]] = {
    "MAC area, 1000 um2": (("mac_area_um2",), 1e3),
    "energy of a MAC, pJ": (("mac_energy_pj",), 1.0),
    "PE area, 1000 um2": (("datapath_area_um2", "scratchpad_area_um2"), 1e3),
    "energy of a PE's MAC, pJ": (("datapath_energy_pj", "scratchpad_energy_pj"), 1.0),
}
COLOURS = {"mac": "#4477aa", "datapath": "#66ccee", "scratchpad": "#bbbbbb"}
LABELS = {
    "mac": "multiply-accumulate unit alone",
    "datapath": "datapath of a PE",
    "scratchpad": "its scratchpads and clock net",
}


def plot_formats(path: Path, technology: str, rows: Sequence[dict[str, Any]]) -> None:
    """Bars a format: the multiply-accumulate unit, and a PE's datapath and scratchpads."""
    figure = Figure(figsize=(12, 1.7 + 0.24 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    names = [row["arithmetic"] for row in rows]
    bars = {}
    for axes, (title, (parts, unit)) in zip(panels, PANELS.items(), strict=True):
        left = [0.0] * len(rows)
        for part in parts:
            kind = part.partition("_")[0]
            widths = [row[part] / unit for row in rows]
            bars[kind] = axes.barh(names, widths, left=left, height=0.7, color=COLOURS[kind])
            left = [one + other for one, other in zip(left, widths, strict=True)]
        axes.set_title(title, fontsize=10)
        axes.margins(y=0.01)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    figure.suptitle(f"Number formats in {technology}", fontsize=12)
    labels = [LABELS[kind] for kind in bars]
    figure.legend(list(bars.values()), labels, loc="outside lower center", ncols=3, fontsize=9)
    # No software version in the file: the same rows give the same bytes.
    figure.savefig(path, dpi=110, metadata={"Software": None})
