"""Picture of what glitches add: `quidam glitches` draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

TITLES = {"mac": "multiply-accumulate unit alone", "pe": "datapath of a PE"}
SETTLED, ADDED = "#4477aa", "#ee6677"


def plot_glitches(path: Path, technology: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bars an arithmetic: the datapath's energy of settled values, and what glitches add.

    Parameters
    ----------
    rows : `Glitches` as mappings.
    """
    kinds = [kind for kind in TITLES if any(row["component"] == kind for row in rows)]
    tallest = max(sum(row["component"] == kind for row in rows) for kind in kinds)
    figure = Figure(figsize=(5.5 * len(kinds), 1.3 + 0.35 * tallest), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        chosen = [row for row in rows if row["component"] == kind]
        names = [row["arithmetic"] for row in chosen]
        settled = [row["energy_pj"]["datapath"] for row in chosen]
        whole = [row["glitching_energy_pj"]["datapath"] for row in chosen]
        added = [one - other for one, other in zip(whole, settled, strict=True)]
        axes.barh(names, settled, height=0.7, color=SETTLED, label="settled values")
        axes.barh(names, added, left=settled, height=0.7, color=ADDED, label="glitches")
        for name, energy, base in zip(names, whole, settled, strict=True):
            axes.annotate(f" x {energy / base:.2f}", (energy, name), va="center", fontsize=8)
        axes.set_title(TITLES[kind], fontsize=10)
        axes.set_xlabel("pJ a multiply-accumulate", fontsize=9)
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="lower right")
    figure.suptitle(f"What glitches add in {technology}", fontsize=11)
    # No software version in the file: the same rows give the same bytes.
    figure.savefig(path, dpi=110, metadata={"Software": None})
