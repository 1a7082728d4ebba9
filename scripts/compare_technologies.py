"""Tables and picture of docs/explanation/technologies.md, from the models that ship.

python scripts/compare_technologies.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from explore.composition import BARS
from models.build import COMPONENTS, Build
from models.component import ComponentModel
from models.features import features
from models.markdown import table
from models.ppa import TRAINED, PpaModel
from models.whole_card import FOLDER, HEADINGS, QUANTITIES, array_of, whole_rows
from rtl_gen.config import AcceleratorConfig

#: Of the table of processing elements; the array's size does not matter to them.
FIELDS = {"rows": 4, "columns": 4, "buffer_kib": 64, "bus_bits": 64, "scratchpads": "gated"}
WORDS = {"ifmap_words": 12, "weight_words": 96, "psum_words": 16}
ARITHMETICS = ("fp32", "int16", "int8", "int4", "lightpe1", "lightpe2")
REFERENCE = "int16"
PARTS = ("datapath", "scratchpad", "clock")
ERRORS = {"area_um2": "area", "energy_pj.mac": "energy of a MAC", "min_period_ns": "period"}
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "whole-accelerators.png"
#: Of types of PE: Okabe and Ito's palette; beside each other in a technology. Of arrays.
COLOURS = {"fp32": "#0072B2", "int16": "#D55E00", "lightpe1": "#009E73", "lightpe2": "#CC79A7"}
SHIFTS = dict(zip(COLOURS, (-0.24, -0.08, 0.08, 0.24), strict=True))
MARKERS = {
    "4 x 4": "o",
    "8 x 8": "D",
    "4 x 4 latch fast": "^",
    "4 x 4 gated small": "s",
    "4 x 4 gated target": "P",
}


def main() -> None:
    """Print all tables; draw the picture."""
    models = {path.stem: PpaModel.load(path) for path in sorted(TRAINED.glob("*.json"))}
    print(table(["technology", "samples", "core-minutes", *ERRORS.values()], _fits(models)))
    print()
    print(table(["technology", "PE type", "samples", *ERRORS.values()], _types(models)))
    print()
    print(table(["technology", *HEADINGS], _wholes(models)))
    print()
    head = ("area um2", *(f"{part} pJ" for part in PARTS), "sum", "with glitches")
    print(table(["technology", "PE", *head, f"{REFERENCE}: area", "energy"], _elements(models)))
    _draw(PICTURE, _validations(models))


def _fits(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """Mean and largest cross-validated error of PEs, over arithmetics and builds."""
    for name, model in models.items():
        manifest = model.contents.manifest
        start = [name, str(manifest["samples"]), f"{manifest.get('core_minutes', 0):g}"]
        yield [*start, *_errors(_pes(model, *model.arithmetics))]


def _types(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """The same of each type of PE, over builds."""
    for name, model in models.items():
        for arithmetic in ARITHMETICS:
            if arithmetic in model.arithmetics:
                found = _pes(model, arithmetic)
                yield [name, arithmetic, str(sum(one.samples for one in found)), *_errors(found)]


def _pes(model: PpaModel, *arithmetics: str) -> list[ComponentModel]:
    """The fitted PEs of all builds."""
    return [
        fitted
        for arithmetic in arithmetics
        for component, fitted in model.contents.components[arithmetic].items()
        if COMPONENTS[component] == "pe"
    ]


def _errors(fitted: Sequence[ComponentModel]) -> Iterator[str]:
    for metric in ERRORS:
        errors = [one.errors[metric] for one in fitted]
        means = [one.mean_percent for one in errors if one.mean_percent is not None]
        largest = [one.max_percent for one in errors if one.max_percent is not None]
        yield f"{np.mean(means):.1f} ({max(largest):.1f})"


def _validations(models: Mapping[str, PpaModel]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Technology, array, and what `quidam validate` said of this very model."""
    for name, model in models.items():
        for path in sorted(TRAINED.glob(f"{name}{FOLDER}*/validate.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["manifest"].get("model_sha256") == model.sha256:
                yield name, array_of(content), content


def _wholes(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """Technology, and errors of the fitted models' predictions by PE type."""
    for name, _, content in _validations(models):
        for row in whole_rows(content):
            yield [name, *row]


def _draw(path: Path, found: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
    """Every accelerator's error, a panel a quantity; grey are the bars of mean and worst."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    panels = figure.subplots(1, len(QUANTITIES))
    technologies: list[str] = []
    for name, array, content in found:
        if name not in technologies:
            technologies.append(name)
        for design in content["designs"]:
            arithmetic = design["config"]["arithmetic"]
            if "fitted" not in design["error_percent"]:
                continue
            for axes, quantity in zip(panels, QUANTITIES, strict=True):
                axes.plot(
                    technologies.index(name) + SHIFTS[arithmetic],
                    design["error_percent"]["fitted"][quantity],
                    marker=MARKERS[array],
                    color=COLOURS[arithmetic],
                    fillstyle="none",
                    linestyle="",
                )
    for axes, (quantity, title) in zip(panels, QUANTITIES.items(), strict=True):
        mean, worst = BARS[quantity]
        axes.axhspan(-worst, worst, color="0.94", zorder=0)
        axes.axhspan(-mean, mean, color="0.87", zorder=0)
        axes.axhline(0, color="0.3", linewidth=0.8)
        axes.set_title(title)
        axes.set_xticks(range(len(technologies)), technologies, rotation=30, ha="right")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("prediction's error, %")
    legend = [
        Line2D([], [], linestyle="", marker="s", color=c, label=n) for n, c in COLOURS.items()
    ]
    legend += [
        Line2D([], [], linestyle="", marker=m, color="0.3", fillstyle="none", label=n)
        for n, m in MARKERS.items()
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), fontsize=8)
    # No software version in the file: the same content gives the same bytes.
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _elements(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """PEs by the fitted models: area, energy of a multiply-accumulate by part, ratios."""
    for name, model in models.items():
        known = {one: _element(model, one) for one in ARITHMETICS if one in model.arithmetics}
        for arithmetic, (area, parts, glitching) in known.items():
            reference = known[REFERENCE]
            yield [
                name,
                arithmetic,
                f"{area:,.0f}",
                *(f"{parts[part]:.3g}" for part in PARTS),
                f"{sum(parts.values()):.3g}",
                f"{glitching:.3g}",
                f"{reference[0] / area:.2f}x",
                f"{sum(reference[1].values()) / sum(parts.values()):.2f}x",
            ]


def _element(model: PpaModel, arithmetic: str) -> tuple[float, dict[str, float], float]:
    """Area in um2; energy by part, and with glitches, in pJ."""
    config = AcceleratorConfig.from_mapping({"arithmetic": arithmetic, **FIELDS, **WORDS})
    component = Build(scratchpads="gated").component("pe")
    fitted = model.contents.components[arithmetic][component]
    metrics = fitted.evaluate(features("pe", config))
    area = sum(float(v) for k, v in metrics.items() if k.startswith("area_um2."))
    parts = {part: float(metrics[f"energy_pj.mac.{part}"]) for part in PARTS}
    glitching = model.predict(config).energy_pj["pe"]["mac"]
    return area, parts, float(sum(glitching.values()))


if __name__ == "__main__":
    main()
