"""Picture of whole accelerators against their predictions: `quidam validate` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

TITLES = {"area_um2": "area", "power_mw": "power", "min_period_ns": "shortest clock period"}
COLOURS = {"composed": "#4477aa", "fitted": "#ee6677"}
WAYS = {
    "composed": "components measured at the same sizes, composed",
    "fitted": "fitted models, composed",
}


def plot_composition(path: Path, content: Mapping[str, Any]) -> None:
    """The error of every accelerator, a panel a quantity; grey are the bars of mean and worst.

    Parameters
    ----------
    content : of `quidam.validation_report.report`; at least one design.
    """
    designs = content["designs"]
    ways = [way for way in WAYS if any(way in one["error_percent"] for one in designs)]
    figure = Figure(figsize=(10.5, 1.6 + 0.28 * len(designs)), layout="constrained")
    panels = figure.subplots(1, len(TITLES), sharey=True)
    places = np.arange(len(designs))
    height = 0.8 / max(len(ways), 1)
    for axes, (quantity, title) in zip(panels, TITLES.items(), strict=True):
        for bar, shade in zip(
            reversed(content["bars_percent"][quantity]), ("0.93", "0.86"), strict=True
        ):
            axes.axvspan(-bar, bar, color=shade, zorder=0)
        for number, way in enumerate(ways):
            errors = [one["error_percent"].get(way, {}).get(quantity, np.nan) for one in designs]
            axes.barh(
                places + (number - (len(ways) - 1) / 2) * height,
                errors,
                height=height,
                color=COLOURS[way],
                label=WAYS[way],
            )
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("prediction's error, %", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(places, [one["name"] for one in designs])
    panels[0].invert_yaxis()
    figure.legend(
        *panels[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2
    )
    figure.suptitle(f"Whole accelerators in {content['technology']}", fontsize=11)
    # No software version in the file: the same content gives the same bytes.
    figure.savefig(path, dpi=110, metadata={"Software": None})
