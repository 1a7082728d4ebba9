"""The tables of docs/explanation/technologies.md, from the models that ship and their checks.

python scripts/technologies_table.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.build import COMPONENTS, Build
from models.features import features
from models.markdown import table
from models.ppa import TRAINED, PpaModel
from rtl_gen.config import AcceleratorConfig

#: Of the table of processing elements; the array's size does not matter to them.
FIELDS = {"rows": 4, "columns": 4, "buffer_kib": 64, "bus_bits": 64, "scratchpads": "gated"}
WORDS = {"ifmap_words": 12, "weight_words": 96, "psum_words": 16}
ARITHMETICS = ("fp32", "int16", "int8", "int4", "lightpe1", "lightpe2")
REFERENCE = "int16"
PARTS = ("datapath", "scratchpad", "clock")
ERRORS = {"area_um2": "area", "energy_pj.mac": "energy of a MAC", "min_period_ns": "period"}
WHOLE = {"area_um2": "area", "power_mw": "power", "min_period_ns": "period"}


def main() -> None:
    """Print all tables."""
    models = {path.stem: PpaModel.load(path) for path in sorted(TRAINED.glob("*.json"))}
    print(table(["technology", "samples", "core-minutes", *ERRORS.values()], _fits(models)))
    print()
    print(table(["technology", "PE type", "designs", *WHOLE.values()], _wholes(models)))
    print()
    head = ("area um2", *(f"{part} pJ" for part in PARTS), "sum", "with glitches")
    print(table(["technology", "PE", *head, f"{REFERENCE}: area", "energy"], _elements(models)))


def _fits(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """Mean and largest cross-validated error of PEs, over arithmetics and builds."""
    for name, model in models.items():
        manifest = model.contents.manifest
        row = [name, str(manifest["samples"]), f"{manifest.get('core_minutes', 0):g}"]
        for metric in ERRORS:
            errors = [
                one.errors[metric]
                for components in model.contents.components.values()
                for component, one in components.items()
                if COMPONENTS[component] == "pe"
            ]
            means = [one.mean_percent for one in errors if one.mean_percent is not None]
            largest = [one.max_percent for one in errors if one.max_percent is not None]
            row.append(f"{np.mean(means):.1f} ({max(largest):.1f})")
        yield row


def _wholes(models: Mapping[str, PpaModel]) -> Iterator[list[str]]:
    """Mean and largest error of the fitted models' predictions, by PE type."""
    for name in models:
        path = TRAINED / f"{name}-validation" / "validate.json"
        if not path.is_file():
            continue
        found: dict[str, dict[str, Any]] = {}
        for row in json.loads(path.read_text(encoding="utf-8"))["summary"]:
            if row["way"] == "fitted":
                found.setdefault(row["arithmetic"], {})[row["quantity"]] = row
        for arithmetic, rows in found.items():
            cells = [
                f"{rows[one]['mean_percent']:.1f} ({rows[one]['worst_percent']:.1f})"
                for one in WHOLE
            ]
            yield [name, arithmetic, str(rows["area_um2"]["designs"]), *cells]


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
