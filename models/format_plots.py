"""The picture of `quidam formats`: area and energy of every arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def plot_formats(path: Path, technology: str, rows: Sequence[dict[str, Any]]) -> None:
    """Bars a format: the MAC, the rest of the PE's datapath, its scratchpads."""
    figure = Figure(figsize=(11, 1.4 + 0.26 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    names = [row["arithmetic"] for row in rows]
    for axes, title, parts, scale in (
        (panels[0], "MAC area, 1000 um2", ("mac_area_um2",), 1e-3),
        (panels[1], "energy of a MAC, pJ", ("mac_energy_pj",), 1.0),
        (panels[2], "PE area, 1000 um2", ("datapath_area_um2", "scratchpad_area_um2"), 1e-3),
    ):
        left = [0.0] * len(rows)
        for part in parts:
            widths = [row[part] * scale for row in rows]
            label = part.partition("_")[0] if len(parts) > 1 else None
            axes.barh(names, widths, left=left, label=label, color=COLOURS[part])
            left = [one + other for one, other in zip(left, widths, strict=True)]
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        if len(parts) > 1:
            axes.legend(fontsize=8, loc="lower right")
    panels[0].invert_yaxis()
    figure.suptitle(f"Number formats in {technology}", fontsize=12)
    figure.savefig(path, dpi=110)


COLOURS = {
    "mac_area_um2": "#4477aa",
    "mac_energy_pj": "#cc6677",
    "datapath_area_um2": "#4477aa",
    "scratchpad_area_um2": "#bbbbbb",
}
